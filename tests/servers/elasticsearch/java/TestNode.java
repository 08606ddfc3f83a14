import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;

import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.metadata.ProjectId;
import org.elasticsearch.cluster.routing.IndexRoutingTable;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.KeyStoreWrapper;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.gateway.GatewayService;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Runs one real Elasticsearch node in this JVM, for tests: TestNode HOME INSTANCE.
 * HOME has lib/ and modules/. INSTANCE has config/node.properties (settings), config/secrets.properties (secure
 * settings) and config/log4j2.properties, and gets data/ and the file "ready" once requests are answered.
 */
public class TestNode {

    private static final String NAME = "test-node";

    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]), instance = Path.of(args[1]), config = instance.resolve("config");
        Settings.Builder settings = Settings.builder()
            .put("path.home", home.toString())
            .put("path.data", instance.resolve("data").toString())
            .put("path.logs", instance.resolve("logs").toString())
            .put("node.name", NAME);
        read(config.resolve("node.properties")).forEach((key, value) -> settings.put((String) key, (String) value));
        KeyStoreWrapper secrets = KeyStoreWrapper.create();
        for (var secret : read(config.resolve("secrets.properties")).entrySet()) {
            secrets.setString((String) secret.getKey(), ((String) secret.getValue()).toCharArray());
        }
        settings.setSecureSettings(secrets);

        LogConfigurator.registerErrorListener();
        LogConfigurator.setNodeName(NAME);
        Environment env = InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), config, () -> NAME);
        LogConfigurator.configure(env, false);

        // "false": lib/ is a plain class path here, so there is no server module to open up for the modules
        var bundles = PluginsLoader.loadModulesBundles(env.modulesDir(), false);
        Node node = new Node(env, PluginsLoader.createPluginsLoader(bundles, Set.of(), Map.of(), false));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(node), "stop"));
        node.start();
        awaitSettled(node);
        Files.createFile(instance.resolve("ready"));
        Thread.currentThread().join();
    }

    private static Properties read(Path path) throws Exception {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(path)) {
            properties.load(reader);
        }
        return properties;
    }

    private static void stop(Node node) {
        try {
            node.prepareForClose();
            node.close();
            node.awaitClose(20, TimeUnit.SECONDS);
        } catch (Exception e) {
            e.printStackTrace();
        }
    }

    /** The port is open before this, but for some tenths of a second the node answers 503. */
    private static void awaitSettled(Node node) throws Exception {
        ClusterService cluster = node.injector().getInstance(ClusterService.class);
        boolean security = node.settings().getAsBoolean("xpack.security.enabled", false);
        while (settled(cluster.state(), security) == false) {
            Thread.sleep(20);
        }
    }

    /** State recovered; with security also its own index, which the node makes by itself and needs for log-ins. */
    private static boolean settled(ClusterState state, boolean security) {
        if (state.blocks().hasGlobalBlock(GatewayService.STATE_NOT_RECOVERED_BLOCK)) {
            return false;
        }
        boolean seen = false;
        for (IndexRoutingTable index : state.routingTable(ProjectId.DEFAULT)) {
            if (index.getIndex().getName().startsWith(".security-")) {
                seen = true;
                if (index.allPrimaryShardsActive() == false) {
                    return false;
                }
            }
        }
        return seen || security == false;
    }
}
