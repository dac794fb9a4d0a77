-- kvs.metadata as a table: a row is a fragment without its media. All times are UTC.
-- Nested rows have no NOT NULL, because Flink 2.2 cannot LEFT JOIN UNNEST those that have it.
CREATE TABLE fragments (
  `sequence` BIGINT,                      -- counts a stream's fragments: 0, 1, 2, …
  stream_name STRING NOT NULL,
  fragment_number STRING NOT NULL,        -- up to 128 digits: too many for a number
  server_timestamp TIMESTAMP(3),
  producer_timestamp TIMESTAMP(3),
  random_access BOOLEAN NOT NULL,
  discontinuity BOOLEAN NOT NULL,
  start_ns BIGINT,
  duration_ns BIGINT NOT NULL,
  first_frame_utc BIGINT,                 -- microseconds since 1970
  tracks ARRAY<ROW<`number` BIGINT, kind STRING, codec_id STRING, width BIGINT, height BIGINT>>,
  frames ARRAY<ROW<track BIGINT, timestamp_ns BIGINT, `key` BOOLEAN, size_bytes BIGINT>>,
  tags ARRAY<ROW<name STRING, `value` STRING>>,
  size_bytes BIGINT NOT NULL,
  -- A producer need not say when.
  event_time AS COALESCE(producer_timestamp, server_timestamp),
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'kvs.metadata',
  'properties.bootstrap.servers' = '127.0.0.1:9092',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  -- Without this line a query runs until it is cancelled.
  'scan.bounded.mode' = 'latest-offset',
  -- Partitions without streams do not hold windows back.
  'scan.watermark.idle-timeout' = '30 s',
  'format' = 'avro-confluent',
  'avro-confluent.url' = 'http://127.0.0.1:8081/apis/ccompat/v7'
);

-- Fragments, bytes, frames and key frames of video, per stream and minute. The inner query has a row for each fragment again.
SELECT stream_name, window_start, COUNT(*) AS fragments, SUM(size_bytes) AS size_bytes, SUM(frames) AS frames, SUM(key_frames) AS key_frames
FROM (
  SELECT window_start, window_end, stream_name, fragment_number, size_bytes,
         COUNT(*) FILTER (WHERE frame.track = track.`number`) AS frames,
         COUNT(*) FILTER (WHERE frame.track = track.`number` AND frame.`key` AND track.kind = 'video') AS key_frames
  FROM (SELECT * FROM TUMBLE(TABLE fragments, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
  LEFT JOIN UNNEST(tracks) AS track (`number`, kind, codec_id, width, height) ON TRUE
  LEFT JOIN UNNEST(frames) AS frame (track, timestamp_ns, `key`, frame_size_bytes) ON TRUE
  GROUP BY window_start, window_end, stream_name, fragment_number, size_bytes
)
GROUP BY window_start, window_end, stream_name;

-- Streams whose sequence has a hole: records that are not there. None is a good sign.
SELECT stream_name, MIN(`sequence`) AS first_sequence, MAX(`sequence`) AS last_sequence,
       MAX(`sequence`) - MIN(`sequence`) + 1 - COUNT(DISTINCT `sequence`) AS missing
FROM fragments
GROUP BY stream_name
HAVING MAX(`sequence`) - MIN(`sequence`) + 1 > COUNT(DISTINCT `sequence`);

-- Fragments by a tag of the producer: here the encoder that ffmpeg names.
SELECT stream_name, tag.`value` AS encoder, COUNT(*) AS fragments
FROM fragments CROSS JOIN UNNEST(tags) AS tag (name, `value`)
WHERE tag.name = 'ENCODER'
GROUP BY stream_name, tag.`value`;
