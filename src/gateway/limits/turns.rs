use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};

use super::super::respond::{Answer, AnswerBody};
use super::super::server::BoxError;
use super::Turn;

/// The turns of one request, given back once nobody is at work on it: neither who answers it nor what
/// goes on after its client broke off.
#[derive(Clone, Default)]
pub(in super::super) struct Turns(Option<Arc<[Option<Turn>; 2]>>);

impl Turns {
    pub(in super::super) fn new(source: Option<Turn>, caller: Option<Turn>) -> Self {
        Self((source.is_some() || caller.is_some()).then(|| Arc::new([source, caller])))
    }

    /// An answer that is sent piece by piece is over with its last one.
    pub(in super::super) fn until_sent(self, answer: Answer) -> Answer {
        if self.0.is_none() {
            return answer;
        }
        answer.map(|body| match body {
            AnswerBody::Streamed(body) => AnswerBody::Streamed(UnsyncBoxBody::new(Held { body, _turns: self })),
            whole @ AnswerBody::Whole(_) => whole,
        })
    }
}

/// A body that holds turns.
struct Held {
    body: UnsyncBoxBody<Bytes, BoxError>,
    _turns: Turns,
}

impl Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
