-- Reads kvs.metadata as it is written. A batch that was not inserted completely is read again after a crash.
CREATE TABLE kvs_metadata_queue
(
    stream_name String,
    fragment_number String,
    sequence Nullable(Int64),
    server_timestamp Nullable(DateTime64(3, 'UTC')),
    producer_timestamp Nullable(DateTime64(3, 'UTC')),
    duration_ns Int64,
    size_bytes Int64,
    discontinuity Bool,
    frames Array(Tuple(track Int64, timestamp_ns Int64, duration_ns Nullable(Int64), key Bool, offset Int64, size_bytes Int64))
)
ENGINE = Kafka
SETTINGS kafka_broker_list = '127.0.0.1:9092', kafka_topic_list = 'kvs.metadata', kafka_group_name = 'clickhouse',
         kafka_format = 'AvroConfluent', format_avro_schema_registry_url = 'http://127.0.0.1:8081/apis/ccompat/v7';

-- What is read twice is kept once, for it has the same key: ask with FINAL.
CREATE TABLE kvs_metadata
(
    stream_name LowCardinality(String),
    fragment_number String,
    sequence Nullable(Int64),
    server_timestamp DateTime64(3, 'UTC'),
    producer_timestamp Nullable(DateTime64(3, 'UTC')),
    duration_ns Int64,
    size_bytes Int64,
    discontinuity Bool,
    frames UInt32,
    key_frames UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(server_timestamp)
ORDER BY (stream_name, server_timestamp, fragment_number);

CREATE MATERIALIZED VIEW kvs_metadata_reader TO kvs_metadata AS
SELECT * EXCEPT frames REPLACE ifNull(server_timestamp, toDateTime64(0, 3, 'UTC')) AS server_timestamp,
       length(frames) AS frames, countEqual(frames.key, true) AS key_frames
FROM kvs_metadata_queue;
