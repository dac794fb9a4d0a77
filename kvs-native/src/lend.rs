//! Sends records whose values librdkafka reads where they are.
//!
//! librdkafka copies a value unless it is told that the value stays where it is until the delivery report; rust-rdkafka has it
//! copied always. For values of hundreds of kilobytes the copy is a fifth of the processor time of a program that moves them:
//! a block that the system has to map, fill page by page, and unmap again.
//!
//! **Why this is safe.** The value is [`Bytes`], whose content stays where it is and does not change. Its owner is moved into the
//! record's opaque, a box that nobody else can reach; rust-rdkafka makes a box of it again for the delivery report, which
//! librdkafka sends when it no longer reads the value. A record that is never reported, because its producer was destroyed
//! before, keeps its value for ever: that would be a leak, but nothing that is freed is ever read.

use std::ffi::{CString, NulError, c_int, c_void};

use bytes::Bytes;
use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_error_code, rd_kafka_error_destroy, rd_kafka_produceva, rd_kafka_resp_err_t,
    rd_kafka_vtype_t, rd_kafka_vu_s, rd_kafka_vu_s__bindgen_ty_1, rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1,
    rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2,
};
use rdkafka::error::KafkaError;
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};

// Its absence is what has librdkafka read a value where it is.
const _: () = assert!(RD_KAFKA_MSG_F_COPY != 0);

/// What comes back with a record's delivery report.
#[derive(Debug)]
pub struct Lent<T> {
    /// Dropped with the report.
    value: Option<Bytes>,
    /// The caller's own.
    pub tag: T,
}

impl<T> Lent<T> {
    /// Returns what comes back with the report of a record that librdkafka copies.
    pub fn nothing(tag: T) -> Self {
        Self { value: None, tag }
    }
}

/// A record whose value is not copied; all else is.
#[derive(Debug, Clone, Copy)]
pub struct LentRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition of the topic.
    pub partition: i32,
    /// The key.
    pub key: &'a [u8],
    /// Names and values of the headers.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Milliseconds since 1970; `None`: the time at which the record is sent.
    pub timestamp_ms: Option<i64>,
}

/// Hands a record to the producer, with a value that librdkafka reads where it is until the record's delivery report.
///
/// # Errors
/// Those of librdkafka, as of [`rdkafka::producer::BaseProducer::send`], with the value.
pub fn send_lent<C, T>(
    producer: &ThreadedProducer<C>,
    record: LentRecord<'_>,
    value: Bytes,
    tag: T,
) -> Result<(), (KafkaError, Bytes, T)>
where
    T: Send + Sync + 'static,
    C: ProducerContext<DeliveryOpaque = Box<Lent<T>>> + 'static,
{
    let names = CString::new(record.topic).and_then(|topic| {
        Ok((topic, record.headers.iter().map(|(name, _)| CString::new(*name)).collect::<Result<Vec<_>, NulError>>()?))
    });
    let (topic, names) = match names {
        Ok(names) => names,
        Err(error) => return Err((error.into(), value, tag)),
    };
    let at = bytes_of(&value);
    let lent = Box::into_raw(Box::new(Lent { value: Some(value), tag }));
    let mut fields = vec![
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_TOPIC, Value { cstr: topic.as_ptr() }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION, Value { i32_: record.partition }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: NO_FLAGS }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, Value { mem: at }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, Value { mem: bytes_of(record.key) }),
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: lent.cast() }),
        // 0 is the time of the call.
        field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: record.timestamp_ms.unwrap_or(0) }),
    ];
    for (name, (_, value)) in names.iter().zip(record.headers) {
        // No slice is larger than isize::MAX.
        let size = isize::try_from(value.len()).unwrap_or(isize::MAX);
        let header =
            rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 { name: name.as_ptr(), val: value.as_ptr().cast(), size };
        fields.push(field(rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADER, Value { header }));
    }
    // SAFETY: the client is alive, for `producer` is borrowed. Each field has the type that its tag says; what they point to lives
    // until the end of this function, which is as long as librdkafka reads all but the value, and the value lives in `lent`,
    // which nobody drops before librdkafka gives it back: with the report, to rust-rdkafka, whose context's opaque is
    // `Box<Lent<T>>`, or below. Without RD_KAFKA_MSG_F_FREE librdkafka frees nothing of ours.
    #[allow(unsafe_code)]
    let error = unsafe { rd_kafka_produceva(producer.client().native_ptr(), fields.as_ptr(), fields.len()) };
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is not null, ours, and not used afterwards. librdkafka has not taken the record, so there will be no report,
    // and `lent` is what was boxed above.
    #[allow(unsafe_code)]
    let (code, lent) = unsafe {
        let code: rd_kafka_resp_err_t = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        (code, Box::from_raw(lent))
    };
    let Lent { value, tag } = *lent;
    Err((KafkaError::MessageProduction(code.into()), value.unwrap_or_default(), tag))
}

type Value = rd_kafka_vu_s__bindgen_ty_1;

/// Neither copy nor free.
const NO_FLAGS: c_int = 0;

fn field(vtype: rd_kafka_vtype_t, u: Value) -> rd_kafka_vu_s {
    rd_kafka_vu_s { vtype, u }
}

fn bytes_of(bytes: &[u8]) -> rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    // librdkafka's fields are not const, but it writes to neither key nor value.
    rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: bytes.as_ptr().cast_mut().cast::<c_void>(), size: bytes.len() }
}

#[cfg(test)]
#[path = "lend_tests.rs"]
mod tests;
