"""Evidence packs: everything that is known about a version, in one archive for an audit."""
