import com.amazonaws.auth.AWSCredentialsProvider;
import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.kinesisvideo.parser.examples.GetMediaWorker;
import com.amazonaws.kinesisvideo.parser.mkv.MkvDataElement;
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
import java.util.LinkedHashSet;
import java.util.Set;

/** Reads a stream with the GetMedia worker of AWS's parser library and prints the fragment numbers it sees. */
public final class ReadStream {
    public static void main(String[] arguments) {
        String endpoint = arguments[0];
        String stream = arguments[1];
        AWSCredentialsProvider credentials =
                new AWSStaticCredentialsProvider(new BasicAWSCredentials("test", "test"));
        AmazonKinesisVideo client = AmazonKinesisVideoClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(endpoint, "us-east-1"))
                .withCredentials(credentials)
                .build();
        Numbers numbers = new Numbers();
        StartSelector start = new StartSelector().withStartSelectorType(StartSelectorType.EARLIEST);
        // Returns at the end of the session.
        GetMediaWorker.create(Regions.US_EAST_1, credentials, stream, start, client, numbers).run();
        numbers.seen.forEach(System.out::println);
        System.exit(0);
    }

    /** Asks the library's own visitor, after each element, which fragment it is in. */
    private static final class Numbers extends MkvElementVisitor {
        private final FragmentMetadataVisitor metadata = FragmentMetadataVisitor.create();
        private final Set<String> seen = new LinkedHashSet<>();

        @Override
        public void visit(MkvStartMasterElement element) throws MkvElementVisitException {
            metadata.visit(element);
            note();
        }

        @Override
        public void visit(MkvEndMasterElement element) throws MkvElementVisitException {
            metadata.visit(element);
            note();
        }

        @Override
        public void visit(MkvDataElement element) throws MkvElementVisitException {
            metadata.visit(element);
            note();
        }

        private void note() {
            metadata.getCurrentFragmentMetadata().map(FragmentMetadata::getFragmentNumberString).ifPresent(seen::add);
        }
    }
}
