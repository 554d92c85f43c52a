"""The same cases for every wire family, through the real SDKs over HTTP."""
