-- Fragments, frames and bitrate of each stream and minute.
SELECT stream_name, date_trunc('minute', producer_timestamp) AS minute, count(*) AS fragments, sum(frames) AS frames,
       round(sum(size_bytes) * 8 / nullif(sum(duration_ns) / 1e9, 0) / 1000) AS kbit_per_s
FROM read_parquet('*.parquet') GROUP BY ALL ORDER BY ALL;

-- Lag in milliseconds: from the producer to the service, and from the service to Kafka.
SELECT stream_name, median(epoch_ms(server_timestamp) - epoch_ms(producer_timestamp)) AS to_service_ms,
       median(epoch_ms(published_timestamp) - epoch_ms(server_timestamp)) AS to_kafka_ms,
       max(epoch_ms(published_timestamp) - epoch_ms(server_timestamp)) AS longest_to_kafka_ms
FROM read_parquet('*.parquet') GROUP BY ALL ORDER BY ALL;

-- Gaps: sequence counts the fragments of a stream without holes, so that a hole is what is missing here.
SELECT stream_name, before + 1 AS first_missing, sequence - 1 AS last_missing, sequence - before - 1 AS missing
FROM (SELECT stream_name, sequence, lag(sequence) OVER (PARTITION BY stream_name ORDER BY sequence) AS before FROM read_parquet('*.parquet'))
WHERE sequence > before + 1 ORDER BY ALL;

-- Rows that are there twice: none.
SELECT stream_name, sequence, count(*) AS times FROM read_parquet('*.parquet') GROUP BY ALL HAVING times > 1 ORDER BY ALL;
