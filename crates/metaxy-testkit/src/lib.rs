//! Servers, temporary lakes and leak checks for this workspace's tests.
