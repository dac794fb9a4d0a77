import com.amazonaws.auth.AWSCredentialsProvider;
import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.kinesisvideo.parser.ebml.MkvTypeInfos;
import com.amazonaws.kinesisvideo.parser.examples.GetMediaWorker;
import com.amazonaws.kinesisvideo.parser.mkv.MkvDataElement;
import com.amazonaws.kinesisvideo.parser.mkv.MkvElement;
import com.amazonaws.kinesisvideo.parser.mkv.MkvElementVisitException;
import com.amazonaws.kinesisvideo.parser.mkv.MkvElementVisitor;
import com.amazonaws.kinesisvideo.parser.mkv.MkvEndMasterElement;
import com.amazonaws.kinesisvideo.parser.mkv.MkvStartMasterElement;
import com.amazonaws.kinesisvideo.parser.utilities.FragmentMetadata;
import com.amazonaws.kinesisvideo.parser.utilities.FragmentMetadataVisitor;
import com.amazonaws.regions.Regions;
import com.amazonaws.services.kinesisvideo.AmazonKinesisVideo;
import com.amazonaws.services.kinesisvideo.AmazonKinesisVideoClientBuilder;
import com.amazonaws.services.kinesisvideo.model.StartSelector;
import com.amazonaws.services.kinesisvideo.model.StartSelectorType;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The peer in Java: AWS's parser library and KafkaProducer, as a careful team would write it.
 *
 * <p>Each stream has a thread that reads and cuts fragments, and one that publishes them with a transactional producer of its own: one record
 * for each fragment, whose value is the fragment's bytes, and one record with the position, in the same transaction. Prints
 * MB/s and processor seconds per GB between two marks on the way, the first of which is late enough for the compiled code to run.
 *
 * <p>Arguments: endpoint, bootstrap servers, topic, fragments of all streams together, fragments in a transaction, streams.
 */
public final class Pipeline {
    private static final double FIRST_MARK = 0.4;
    private static final double LAST_MARK = 0.9;

    private static final class Fragment {
        static final Fragment END = new Fragment("", new byte[0]);
        final String number;
        final byte[] payload;

        Fragment(String number, byte[] payload) {
            this.number = number;
            this.payload = payload;
        }
    }

    /** Counts what is committed, and measures between the marks. */
    private static final class Progress {
        private final long total;
        private final OperatingSystemMXBean system =
                (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        private long fragments;
        private long bytes;
        private long[] first;

        Progress(long total) {
            this.total = total;
        }

        synchronized void committed(int count, long size) {
            fragments += count;
            bytes += size;
            if (first == null && fragments >= total * FIRST_MARK) {
                first = new long[] {bytes, System.nanoTime(), system.getProcessCpuTime()};
            } else if (first != null && fragments >= total * LAST_MARK) {
                double gigabytes = (bytes - first[0]) / 1e9;
                double seconds = (System.nanoTime() - first[1]) / 1e9;
                double cpuSeconds = (system.getProcessCpuTime() - first[2]) / 1e9;
                System.out.println(gigabytes * 1e3 / seconds + " " + cpuSeconds / gigabytes);
                System.out.flush();
                Runtime.getRuntime().halt(0);
            }
        }
    }

    /** Collects the bytes of each fragment, element by element, as the parser hands them out. */
    private static final class Cutter extends MkvElementVisitor implements WritableByteChannel {
        private final FragmentMetadataVisitor metadata = FragmentMetadataVisitor.create();
        private final BlockingQueue<Fragment> queue;
        private byte[] buffer = new byte[1 << 20];
        private int size;
        private String number = "";

        Cutter(BlockingQueue<Fragment> queue) {
            this.queue = queue;
        }

        @Override
        public void visit(MkvStartMasterElement element) throws MkvElementVisitException {
            if (MkvTypeInfos.EBML.equals(element.getElementMetaData().getTypeInfo())) {
                cut();
            }
            element.writeToChannel(this);
            metadata.visit(element);
            note();
        }

        @Override
        public void visit(MkvEndMasterElement element) throws MkvElementVisitException {
            metadata.visit(element);
        }

        @Override
        public void visit(MkvDataElement element) throws MkvElementVisitException {
            // First, because the metadata's visitor reads the element's buffer to its end.
            element.writeToChannel(this);
            metadata.visit(element);
        }

        private void note() {
            metadata.getCurrentFragmentMetadata()
                    .map(FragmentMetadata::getFragmentNumberString)
                    .ifPresent(current -> number = current);
        }

        void cut() {
            if (size == 0) {
                return;
            }
            try {
                queue.put(new Fragment(number, Arrays.copyOf(buffer, size)));
            } catch (InterruptedException error) {
                throw new IllegalStateException(error);
            }
            size = 0;
        }

        @Override
        public int write(ByteBuffer bytes) {
            int count = bytes.remaining();
            if (size + count > buffer.length) {
                buffer = Arrays.copyOf(buffer, Math.max(buffer.length * 2, size + count));
            }
            bytes.get(buffer, size, count);
            size += count;
            return count;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    private static void read(String endpoint, String stream, BlockingQueue<Fragment> queue) {
        AWSCredentialsProvider credentials =
                new AWSStaticCredentialsProvider(new BasicAWSCredentials("test", "test"));
        AmazonKinesisVideo client = AmazonKinesisVideoClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(endpoint, "us-east-1"))
                .withCredentials(credentials)
                .build();
        Cutter cutter = new Cutter(queue);
        StartSelector start = new StartSelector().withStartSelectorType(StartSelectorType.EARLIEST);
        GetMediaWorker.create(Regions.US_EAST_1, credentials, stream, start, client, cutter).run();
        cutter.cut();
        queue.add(Fragment.END);
    }

    private static Properties settings(String bootstrap, String id) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("transactional.id", id);
        settings.put("acks", "all");
        // What the connector's producer has.
        settings.put("linger.ms", "1");
        settings.put("compression.type", "none");
        settings.put("batch.size", "1000000");
        settings.put("max.request.size", "75497472");
        settings.put("buffer.memory", "150994944");
        settings.put("key.serializer", ByteArraySerializer.class.getName());
        settings.put("value.serializer", ByteArraySerializer.class.getName());
        return settings;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void publish(
            KafkaProducer<byte[], byte[]> producer, String topic, String stream, int partition, int perTransaction,
            BlockingQueue<Fragment> queue, Progress progress) throws Exception {
        boolean ended = false;
        while (!ended) {
            producer.beginTransaction();
            int count = 0;
            long size = 0;
            String last = "";
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            while (count < perTransaction) {
                Fragment fragment = queue.take();
                if (fragment == Fragment.END) {
                    ended = true;
                    break;
                }
                ProducerRecord<byte[], byte[]> record =
                        new ProducerRecord<>(topic, partition, bytes(fragment.number), fragment.payload);
                Headers headers = record.headers();
                headers.add("kvs.stream", bytes(stream));
                headers.add("kvs.fragment.number", bytes(fragment.number));
                headers.add("content-type", bytes("video/webm"));
                sent.add(producer.send(record));
                count++;
                size += fragment.payload.length;
                last = fragment.number;
            }
            byte[] position = Arrays.copyOf(bytes(last), 230);
            sent.add(producer.send(new ProducerRecord<>(topic + "-offsets", 0, bytes(stream), position)));
            producer.commitTransaction();
            for (Future<RecordMetadata> record : sent) {
                record.get();
            }
            progress.committed(count, size);
        }
    }

    public static void main(String[] arguments) {
        String endpoint = arguments[0];
        String bootstrap = arguments[1];
        String topic = arguments[2];
        Progress progress = new Progress(Long.parseLong(arguments[3]));
        int perTransaction = Math.max(1, Integer.parseInt(arguments[4]));
        for (int index = 5; index < arguments.length; index++) {
            String stream = arguments[index];
            int partition = index - 5;
            // As many fragments as a transaction takes are read ahead while the one before is committed.
            BlockingQueue<Fragment> queue = new ArrayBlockingQueue<>(perTransaction + 1);
            KafkaProducer<byte[], byte[]> producer =
                    new KafkaProducer<>(settings(bootstrap, topic + "-" + partition));
            producer.initTransactions();
            start(() -> read(endpoint, stream, queue));
            start(() -> publish(producer, topic, stream, partition, perTransaction, queue, progress));
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void start(Work work) {
        new Thread(() -> {
            try {
                work.run();
            } catch (Throwable error) {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        }).start();
    }
}
