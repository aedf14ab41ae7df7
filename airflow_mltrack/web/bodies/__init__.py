"""What the JSON API takes and gives: one module for each noun."""
