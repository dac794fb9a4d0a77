import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Prints the fragments of a topic as they come and, with a folder, saves each as a file: SERVERS REGISTRY TOPIC [FOLDER]. */
public final class ReadFragments {
    public static void main(String[] arguments) throws Exception {
        try (var consumer = new KafkaConsumer<String, GenericRecord>(Map.<String, Object>of(
                "bootstrap.servers", arguments[0], "apicurio.registry.url", arguments[1].replace("/apis/ccompat/v7", "/apis/registry/v2"),
                "apicurio.registry.as-confluent", true, "apicurio.registry.use-id", "contentId",
                "group.id", "java-example", "session.timeout.ms", 10000, "isolation.level", "read_committed", "auto.offset.reset", "earliest",
                "key.deserializer", StringDeserializer.class, "value.deserializer", AvroKafkaDeserializer.class))) {
            consumer.subscribe(List.of(arguments[2]));
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    GenericRecord fragment = record.value();
                    List<?> frames = (List<?>) fragment.get("frames");
                    long keys = frames.stream().filter(frame -> (boolean) ((GenericRecord) frame).get("key")).count();
                    Object utc = fragment.get("producer_timestamp") instanceof Long millis ? Instant.ofEpochMilli(millis) : "no-time";
                    String name = fragment.get("stream_name") + " " + fragment.get("fragment_number");
                    System.out.printf("%s %s: %d bytes, %d frames, %d of them key frames%n", name, utc, fragment.get("size_bytes"), frames.size(), keys);
                    if (arguments.length > 3) {
                        byte[] media = new byte[((ByteBuffer) fragment.get("payload")).remaining()];
                        ((ByteBuffer) fragment.get("payload")).get(media);
                        Files.write(Path.of(arguments[3], name.replace(' ', '-') + ".mkv"), media);
                    }
                }
            }
        }
    }
}
