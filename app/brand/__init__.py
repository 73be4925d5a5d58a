"""Brand rules of styles and campaigns, and one score, on brand, made of named parts."""
