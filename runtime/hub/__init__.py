"""The Hub: searching it, reading what its models are before they are downloaded, and how to reach it. Blocking code."""
