//! May this response be stored, and may a stored one answer this request?
