"""Links that MLflow's client prints, such as ``#/experiments/1/runs/ID``, lead to our pages.

What stands behind the # never reaches a server, so the home page has a script for it, the only one
of all pages. The page's policy names this very text by its digest; no other script can run.
"""

from __future__ import annotations

import base64
import hashlib

SCRIPT = """
function follow() {
  const run = location.hash.match(/^#\\/experiments\\/\\d+\\/runs\\/([\\w-]+)/);
  const experiment = location.hash.match(/^#\\/experiments\\/(\\d+)/);
  const model = location.hash.match(/^#\\/models\\/([^\\/?#]+)/);
  if (run) location.replace("runs/" + run[1]);
  else if (experiment) location.replace("experiments/" + experiment[1]);
  else if (model) location.replace("models/" + model[1]);
}
addEventListener("hashchange", follow);
follow();
"""
SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
"""What a content security policy calls the script by."""
