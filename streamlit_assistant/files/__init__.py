"""Files: their bytes on disk, their text, and the search in it. Knows store and providers."""
