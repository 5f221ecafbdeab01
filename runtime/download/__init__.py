"""Downloads of models: resumable, verified, finished all at once. Blocking code on threads of its own."""
