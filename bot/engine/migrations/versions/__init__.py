"""One module per version of our tables."""
