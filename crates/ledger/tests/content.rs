//! Whether the bodies of a call are kept within their bounds, read as they were sent, and only where somebody asked.

mod support;

use std::io::Write as _;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, OF_ONE_CALL, Room, Timestamp};
