-- Fragments, frames and bit rate of each stream and minute.
SELECT stream_name, toStartOfMinute(server_timestamp) AS minute, count() AS fragments, sum(frames) AS frames, sum(key_frames) AS key_frames,
       round(sum(size_bytes) * 8 / (sum(duration_ns) / 1e9) / 1000) AS kbit_per_s
FROM kvs_metadata FINAL
GROUP BY stream_name, minute
ORDER BY stream_name, minute;

-- How many fragments of each stream are missing: sequence counts them without holes.
SELECT stream_name, min(sequence) AS first, max(sequence) AS last, max(sequence) - min(sequence) + 1 - count() AS missing
FROM kvs_metadata FINAL
GROUP BY stream_name
ORDER BY stream_name;

-- The longest time between two fragments of a stream, in milliseconds.
SELECT stream_name, max(pause_ms) AS longest_pause_ms
FROM
(
    SELECT stream_name, dateDiff('millisecond', lagInFrame(server_timestamp, 1, server_timestamp) OVER before, server_timestamp) AS pause_ms
    FROM kvs_metadata FINAL
    WINDOW before AS (PARTITION BY stream_name ORDER BY server_timestamp ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY stream_name
ORDER BY stream_name;
