import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.services.kinesisvideo.AmazonKinesisVideoPutMedia;
import com.amazonaws.services.kinesisvideo.AmazonKinesisVideoPutMediaClientBuilder;
import com.amazonaws.services.kinesisvideo.PutMediaAckResponseHandler;
import com.amazonaws.services.kinesisvideo.model.AckEvent;
import com.amazonaws.services.kinesisvideo.model.FragmentTimecodeType;
import com.amazonaws.services.kinesisvideo.model.PutMediaRequest;
import java.io.FileInputStream;
import java.net.URI;
import java.util.Date;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Sends a file with the producer of AWS's SDK for Java and prints the acknowledgements it understands. */
public final class PutStream {
    public static void main(String[] arguments) throws Exception {
        AmazonKinesisVideoPutMedia client = AmazonKinesisVideoPutMediaClientBuilder.standard()
                .withRegion("us-east-1")
                .withEndpoint(URI.create(arguments[0]))
                .withCredentials(new AWSStaticCredentialsProvider(new BasicAWSCredentials("test", "test")))
                .withConnectionTimeoutInMillis(10_000)
                .withNumberOfThreads(1)
                .build();
        PutMediaRequest request = new PutMediaRequest()
                .withStreamName(arguments[1])
                .withFragmentTimecodeType(FragmentTimecodeType.RELATIVE)
                .withProducerStartTimestamp(new Date())
                .withPayload(new FileInputStream(arguments[2]));
        CountDownLatch done = new CountDownLatch(1);
        boolean[] failed = {false};
        client.putMedia(request, new PutMediaAckResponseHandler() {
            @Override
            public void onAckEvent(AckEvent event) {
                Object detail = event.getErrorCode() == null ? event.getFragmentNumber() : event.getErrorCode();
                System.out.println(event.getAckEventType() + " " + detail);
            }

            @Override
            public void onFailure(Throwable error) {
                error.printStackTrace();
                failed[0] = true;
                done.countDown();
            }

            @Override
            public void onComplete() {
                done.countDown();
            }
        });
        boolean ended = done.await(60, TimeUnit.SECONDS);
        System.exit(ended && !failed[0] ? 0 : 1);
    }
}
