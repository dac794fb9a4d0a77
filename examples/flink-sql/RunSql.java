import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Runs the statements of a file by a Flink in this process, and prints what they return: FILE [streaming]. */
public final class RunSql {
    public static void main(String[] arguments) throws Exception {
        // Of what Flink logs, only errors; -Dorg.slf4j.simpleLogger.defaultLogLevel=info has all of it.
        System.getProperties().putIfAbsent("org.slf4j.simpleLogger.defaultLogLevel", "error");
        Configuration small = Configuration.fromMap(Map.of("parallelism.default", "1"));
        EnvironmentSettings.Builder settings = EnvironmentSettings.newInstance().withConfiguration(small);
        boolean streaming = arguments.length > 1 && arguments[1].equals("streaming");
        TableEnvironment flink = TableEnvironment.create((streaming ? settings.inStreamingMode() : settings.inBatchMode()).build());
        for (String statement : Files.readString(Path.of(arguments[0])).split(";\\s*(\\n|$)")) {
            flink.executeSql(statement).print();
        }
    }
}
