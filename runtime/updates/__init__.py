"""Looking for a newer version: a signed release feed, asked for only with consent. Blocking code."""
