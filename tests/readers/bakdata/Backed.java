import com.bakdata.kafka.LargeMessageDeserializer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads a topic from its beginning to its end with bakdata's deserializer: BOOTSTRAP TOPIC ENDPOINT prints key, size and hash of each value. */
public final class Backed {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        LargeMessageDeserializer<byte[]> values = new LargeMessageDeserializer<>();
        values.configure(
                Map.of(
                        "large.message.value.deserializer", ByteArrayDeserializer.class,
                        "large.message.s3.endpoint", arguments[2],
                        "large.message.s3.region", "us-east-1",
                        "large.message.s3.access.key", "any",
                        "large.message.s3.secret.key", "any",
                        "large.message.s3.enable.path.style.access", true),
                false);
        try (KafkaConsumer<String, Object> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), (org.apache.kafka.common.serialization.Deserializer) values)) {
            List<TopicPartition> partitions = consumer.partitionsFor(arguments[1]).stream()
                    .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                    .toList();
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (ConsumerRecord<String, Object> record : consumer.poll(Duration.ofMillis(200))) {
                    byte[] value = (byte[]) record.value();
                    byte[] hash = MessageDigest.getInstance("SHA-256").digest(value);
                    System.out.println(record.key() + " " + value.length + " " + HexFormat.of().formatHex(hash));
                }
            }
        }
    }
}
