import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Reads topics to their ends with Apicurio's deserializer: SETTINGS TOPIC…. SETTINGS are a consumer's, from docs/RECORDS.md.
 * Prints a JSON value a record.
 */
public final class ReadTopic {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.load(Files.newBufferedReader(Path.of(arguments[0])));
        List<String> topics = List.of(arguments).subList(1, arguments.length);
        try (KafkaConsumer<Object, GenericRecord> consumer = new KafkaConsumer<>(settings)) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (String topic : topics) {
                consumer.partitionsFor(topic).forEach(one -> partitions.add(new TopicPartition(topic, one.partition())));
            }
            // By hand, because the group's first rebalance takes seconds.
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Instant limit = Instant.now().plus(LIMIT);
            while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                if (Instant.now().isAfter(limit)) {
                    throw new IllegalStateException("the topics cannot be read to their ends: " + ends);
                }
                for (ConsumerRecord<Object, GenericRecord> record : consumer.poll(Duration.ofMillis(200))) {
                    System.out.println(new ObjectMapper().writeValueAsString(shown(record)));
                }
            }
        }
    }

    private static Map<String, Object> shown(ConsumerRecord<Object, GenericRecord> record) throws Exception {
        GenericRecord value = record.value();
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("topic", record.topic());
        row.put("key", record.key().toString());
        for (String name : List.of("kind", "connector", "stream_name", "fragment_number", "sequence", "size_bytes",
                "server_timestamp", "producer_timestamp", "frames")) {
            if (value.hasField(name)) {
                row.put(name, text(value.get(name)));
            }
        }
        if (value.hasField("payload")) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(((ByteBuffer) value.get("payload")).duplicate());
            row.put("payload_sha256", HexFormat.of().formatHex(digest.digest()));
        }
        return row;
    }

    private static Object text(Object value) {
        if (value instanceof CharSequence text) {
            return text.toString();
        }
        if (value instanceof Instant instant) {
            return instant.toEpochMilli();
        }
        return value instanceof List<?> list ? list.size() : value;
    }
}
