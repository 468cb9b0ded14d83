import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.*;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;

/** The kernel workload on Kafka Streams: Processor API, RocksDB store with changelog. W_EOS=1: exactly_once_v2; W_CACHE=1: with its record cache. Not for: anything else. */
public class App {
    // Fact ids are field names: without this Jackson interns every one of them, which halves the throughput.
    static final ObjectMapper M = new ObjectMapper(new com.fasterxml.jackson.core.JsonFactoryBuilder()
        .disable(com.fasterxml.jackson.core.JsonFactory.Feature.INTERN_FIELD_NAMES)
        .disable(com.fasterxml.jackson.core.JsonFactory.Feature.CANONICALIZE_FIELD_NAMES).build());
    static final Map<String, String> ENV = System.getenv();
    static boolean started;

    static void markStart() throws Exception {
        started = true;
        long cpu = ((com.sun.management.OperatingSystemMXBean)
            java.lang.management.ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
        Path t = Path.of(ENV.get("W_T0") + ".tmp");
        Files.writeString(t, System.currentTimeMillis() / 1e3 + " " + cpu / 1e9);
        Files.move(t, Path.of(ENV.get("W_T0")), StandardCopyOption.REPLACE_EXISTING);
    }

    static class Facts implements Processor<byte[], byte[], byte[], byte[]> {
        ProcessorContext<byte[], byte[]> ctx;
        KeyValueStore<byte[], byte[]> store;

        public void init(ProcessorContext<byte[], byte[]> c) {
            ctx = c;
            store = c.getStateStore("facts");
        }

        public void process(Record<byte[], byte[]> r) {
            try {
                if (!started) markStart();
                JsonNode ev = M.readTree(r.value());
                byte[] raw = store.get(r.key());
                ObjectNode st = raw != null ? (ObjectNode) M.readTree(raw) : M.createObjectNode();
                if (raw == null) { st.putObject("f"); st.put("a", 0); }
                ObjectNode facts = (ObjectNode) st.get("f");
                String src = ev.get("source").textValue();
                String fid = src.substring(src.length() - 3) + "|" + ev.get("id").textValue();
                if (facts.has(fid)) return;
                facts.set(fid, ev.get("data").get("fine_amount"));
                ObjectNode alert = null;
                if (st.get("a").intValue() == 0 && facts.size() >= 3) {
                    Set<String> s = new HashSet<>();
                    facts.fieldNames().forEachRemaining(k -> s.add(k.substring(0, 3)));
                    if (s.size() >= 2) {
                        st.put("a", 1);
                        alert = M.createObjectNode();
                        String subject = ev.get("subject").textValue();
                        alert.put("id", "alert-" + subject).put("subject", subject)
                            .put("type", "cn.credit.alert.v1").set("time", ev.get("time"));
                        facts.fieldNames().forEachRemaining(alert.putArray("facts")::add);
                    }
                }
                store.put(r.key(), M.writeValueAsBytes(st));
                if (alert != null) ctx.forward(r.withValue(M.writeValueAsBytes(alert)));
            } catch (Exception e) {
                throw new RuntimeException(e);
            }
        }
    }

    public static void main(String[] a) {
        Properties p = new Properties();
        p.put("application.id", ENV.get("W_APP"));
        p.put("bootstrap.servers", ENV.get("W_BOOT"));
        p.put("state.dir", ENV.get("W_DIR"));
        p.put("num.stream.threads", "1");
        p.put("processing.guarantee", ENV.containsKey("W_EOS") ? "exactly_once_v2" : "at_least_once");
        p.put("commit.interval.ms", String.valueOf((long) (1000 * Double.parseDouble(ENV.getOrDefault("W_COMMIT_S", "1")))));
        p.put("consumer.auto.offset.reset", "earliest");
        p.put("consumer.session.timeout.ms", "6000");
        p.put("consumer.heartbeat.interval.ms", "1500");
        p.put("replication.factor", "1");
        StoreBuilder<KeyValueStore<byte[], byte[]>> sb = Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore("facts"), Serdes.ByteArray(), Serdes.ByteArray());
        if (ENV.containsKey("W_CACHE")) sb = sb.withCachingEnabled();
        Topology t = new Topology();
        ByteArrayDeserializer d = new ByteArrayDeserializer();
        ByteArraySerializer s = new ByteArraySerializer();
        t.addSource("src", d, d, ENV.get("W_TOPIC"))
            .addProcessor("proc", Facts::new, "src")
            .addStateStore(sb, "proc")
            .addSink("sink", ENV.get("W_ALERTS"), s, s, "proc");
        new KafkaStreams(t, p).start();
    }
}
