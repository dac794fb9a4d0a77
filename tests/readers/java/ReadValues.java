import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.RawMessageDecoder;

/**
 * Reads single objects with Avro's own decoder, which finds their schema by the fingerprint that it computes itself:
 * SCHEMA VALUE prints the fields; with EARLIER-SCHEMA FINGERPRINT behind them, a value of an earlier version; order
 * NUMBER… prints fragment numbers in order.
 */
public final class ReadValues {
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("order")) {
            List<String> numbers = List.of(arguments).subList(1, arguments.length);
            Comparator<String> byNumber = Comparator.comparingInt(String::length).thenComparing(Comparator.naturalOrder());
            System.out.println(numbers.stream().sorted(byNumber).collect(Collectors.joining(" ")));
            return;
        }
        Schema schema = new Schema.Parser().parse(Files.readString(Path.of(arguments[0])));
        byte[] value = Files.readAllBytes(Path.of(arguments[1]));
        byte[] fingerprint = SchemaNormalization.parsingFingerprint("CRC-64-AVRO", schema);
        System.out.println("fingerprint " + HexFormat.of().formatHex(fingerprint));
        Object read;
        if (arguments.length > 2 && HexFormat.of().formatHex(value, 2, 10).equals(arguments[3])) {
            Schema earlier = new Schema.Parser().parse(Files.readString(Path.of(arguments[2])));
            ByteBuffer datum = ByteBuffer.wrap(value, 10, value.length - 10);
            read = new RawMessageDecoder<>(GenericData.get(), earlier, schema).decode(datum);
        } else {
            read = new BinaryMessageDecoder<>(GenericData.get(), schema).decode(value);
        }
        if (read instanceof GenericRecord record) {
            for (Schema.Field field : schema.getFields()) {
                System.out.println(field.name() + " " + text(record.get(field.name())));
                if (field.name().equals("tracks")) {
                    for (Object track : (List<?>) record.get(field.name())) {
                        GenericRecord fields = (GenericRecord) track;
                        for (Schema.Field one : fields.getSchema().getFields()) {
                            System.out.println("track " + one.name() + " " + text(fields.get(one.pos())));
                        }
                    }
                }
            }
        } else {
            System.out.println("value " + read);
        }
    }

    private static String text(Object value) throws Exception {
        if (value instanceof ByteBuffer bytes) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes.duplicate());
            return HexFormat.of().formatHex(digest.digest());
        }
        return value instanceof List<?> list ? list.size() + " items" : String.valueOf(value);
    }
}
