-- Fragments, frames' bytes and bit rate of each stream and minute.
SELECT stream_name, date_trunc('minute', server_timestamp) AS minute, count(*) AS fragments, sum(size_bytes) AS bytes,
       round(sum(size_bytes) * 8 / (sum(duration_ns) / 1e9) / 1000) AS kbit_per_s
FROM read_parquet('*.parquet') GROUP BY ALL ORDER BY ALL;

-- Fragments that are missing: sequence counts those of a stream without holes.
SELECT stream_name, min(sequence) AS first, max(sequence) AS last, max(sequence) - min(sequence) + 1 - count(*) AS missing
FROM read_parquet('*.parquet') GROUP BY ALL ORDER BY ALL;

-- How long fragments took from the producer to the service, in milliseconds.
SELECT stream_name, median(epoch_ms(server_timestamp) - epoch_ms(producer_timestamp)) AS median_ms,
       max(epoch_ms(server_timestamp) - epoch_ms(producer_timestamp)) AS longest_ms
FROM read_parquet('*.parquet') GROUP BY ALL ORDER BY ALL;

-- The longest pauses of each stream.
SELECT stream_name, max(server_timestamp - before) AS longest_pause
FROM (SELECT stream_name, server_timestamp, lag(server_timestamp) OVER (PARTITION BY stream_name ORDER BY sequence) AS before FROM read_parquet('*.parquet'))
GROUP BY ALL ORDER BY ALL;
