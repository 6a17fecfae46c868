// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/app_catalogue.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const AppCatalogue& Shipped() {
  static const AppCatalogue* catalogue = [] {
    std::vector<std::string> problems;
    auto* loaded = new AppCatalogue(AppCatalogue::Load("", &problems));
    EXPECT_THAT(problems, IsEmpty());
    return loaded;
  }();
  return *catalogue;
}

// A process as it really looks.
struct Sighting {
  const char* app;
  const char* comm;
  const char* exe;
  const char* cmdline;
};

constexpr char kJava[] = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";

const Sighting kSightings[] = {
    {"tomcat", "java", kJava,
     "/usr/lib/jvm/default-java/bin/java -Djava.util.logging.config.file=/var/lib/tomcat10/conf/logging.properties "
     "-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager -Djava.awt.headless=true "
     "--add-opens=java.base/java.lang=ALL-UNNAMED -classpath "
     "/usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar "
     "-Dcatalina.base=/var/lib/tomcat10 -Dcatalina.home=/usr/share/tomcat10 -Djava.io.tmpdir=/tmp "
     "org.apache.catalina.startup.Bootstrap start"},
    {"tomcat", "jsvc", "/usr/bin/jsvc",
     "jsvc.exec -home /usr/lib/jvm/default-java -user tomcat -cp /usr/share/java/commons-daemon.jar "
     "org.apache.catalina.startup.Bootstrap"},
    {"jboss", "java", "/opt/java/openjdk/bin/java",
     "/opt/java/openjdk/bin/java -D[Standalone] -server -Xms64m -Xmx512m -Djava.net.preferIPv4Stack=true "
     "-Dorg.jboss.boot.log.file=/opt/jboss/wildfly/standalone/log/server.log -jar "
     "/opt/jboss/wildfly/jboss-modules.jar -mp /opt/jboss/wildfly/modules org.jboss.as.standalone "
     "-Djboss.home.dir=/opt/jboss/wildfly -b 0.0.0.0"},
    {"jboss", "java", kJava,
     "java -D[Process Controller] -server -Xms64m -jar /opt/eap/jboss-modules.jar -mp /opt/eap/modules "
     "org.jboss.as.process-controller -jboss-home /opt/eap"},
    {"kafka", "java", kJava,
     "java -Xmx1G -Xms1G -server -XX:+UseG1GC -Dkafka.logs.dir=/opt/kafka/bin/../logs "
     "-Dlog4j.configuration=file:./../config/log4j.properties -cp "
     "/opt/kafka/bin/../libs/kafka_2.13-3.6.1.jar:/opt/kafka/bin/../libs/zookeeper-3.8.3.jar kafka.Kafka "
     "../config/server.properties"},
    {"kafka", "java", kJava,
     "java -Xms256M -Xmx2G -cp /opt/kafka/libs/connect-runtime-3.6.1.jar "
     "org.apache.kafka.connect.cli.ConnectDistributed /opt/kafka/config/connect-distributed.properties"},
    {"zookeeper", "java", kJava,
     "java -Dzookeeper.log.dir=/var/log/zookeeper -Dzookeeper.root.logger=INFO,CONSOLE -cp "
     "/opt/zookeeper/lib/zookeeper-3.8.3.jar -Xmx1000m org.apache.zookeeper.server.quorum.QuorumPeerMain "
     "/opt/zookeeper/conf/zoo.cfg"},
    {"zookeeper", "java", kJava,
     "java -Xmx512M -Dkafka.logs.dir=/opt/kafka/bin/../logs -cp /opt/kafka/bin/../libs/kafka_2.13-3.6.1.jar "
     "org.apache.zookeeper.server.quorum.QuorumPeerMain config/zookeeper.properties"},
    {"elasticsearch", "java", "/usr/share/elasticsearch/jdk/bin/java",
     "/usr/share/elasticsearch/jdk/bin/java -Des.networkaddress.cache.ttl=60 -Xms4g --module-path "
     "/usr/share/elasticsearch/lib --add-modules=jdk.net -m "
     "org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch"},
    {"elasticsearch", "java", "/usr/share/elasticsearch/jdk/bin/java",
     "/usr/share/elasticsearch/jdk/bin/java -Xms1g -Des.path.home=/usr/share/elasticsearch -cp "
     "/usr/share/elasticsearch/lib/* org.elasticsearch.bootstrap.Elasticsearch -p "
     "/var/run/elasticsearch/elasticsearch.pid --quiet"},
    {"opensearch", "java", "/usr/share/opensearch/jdk/bin/java",
     "/usr/share/opensearch/jdk/bin/java -Xshare:auto -Dopensearch.path.home=/usr/share/opensearch -cp "
     "/usr/share/opensearch/lib/* org.opensearch.bootstrap.OpenSearch -p /run/opensearch.pid"},
    {"cassandra", "java", kJava,
     "/usr/bin/java -ea -da:net.openhft... -XX:+UseThreadPriorities -Dcassandra.jmx.local.port=7199 -cp "
     "/etc/cassandra:/usr/share/cassandra/lib/HdrHistogram-2.1.9.jar org.apache.cassandra.service.CassandraDaemon"},
    {"neo4j", "java", kJava,
     "/usr/bin/java -cp /var/lib/neo4j/plugins/*:/etc/neo4j/*:/usr/share/neo4j/lib/* -XX:+UseG1GC "
     "-Dfile.encoding=UTF-8 org.neo4j.server.CommunityEntryPoint --home-dir=/var/lib/neo4j --config-dir=/etc/neo4j"},
    {"spark", "java", kJava,
     "/usr/bin/java -cp /opt/spark/conf/:/opt/spark/jars/* -Xmx1g org.apache.spark.deploy.master.Master --host h "
     "--port 7077 --webui-port 8080"},
    {"spark", "java", kJava,
     "java -cp /opt/spark/jars/* -Xmx1024M org.apache.spark.executor.CoarseGrainedExecutorBackend --driver-url "
     "spark://x --executor-id 0"},
    {"hadoop", "java", kJava,
     "/usr/lib/jvm/java-11/bin/java -Dproc_namenode -Djava.net.preferIPv4Stack=true -Dhadoop.log.dir=/opt/hadoop/logs "
     "org.apache.hadoop.hdfs.server.namenode.NameNode"},
    {"hadoop", "java", kJava,
     "/usr/lib/jvm/java-11/bin/java -Dproc_nodemanager -Dyarn.log.dir=/opt/hadoop/logs "
     "org.apache.hadoop.yarn.server.nodemanager.NodeManager"},
    {"jetty", "java", kJava,
     "/usr/bin/java -Djetty.home=/usr/share/jetty9 -Djetty.base=/usr/share/jetty9 -Djava.io.tmpdir=/tmp -jar "
     "/usr/share/jetty9/start.jar jetty.state=/var/lib/jetty9/jetty.state"},
    {"solr", "java", kJava,
     "java -server -Xms512m -Dsolr.jetty.inetaccess.includes= -Djetty.port=8983 -Djetty.home=/opt/solr/server -jar "
     "start.jar --module=http"},
    {"java", "java", kJava, "java -jar /srv/app.jar --spring.profiles.active=prod"},
    {"java", "java", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java (deleted)", "java -jar /srv/app.jar"},

    {"oracle", "ora_pmon_ORCL", "/u01/app/oracle/product/19c/dbhome_1/bin/oracle", "ora_pmon_ORCL"},
    {"oracle", "oracle_4711_orc", "/u01/app/oracle/product/19c/dbhome_1/bin/oracle", "oracleORCL (LOCAL=NO)"},
    {"oracle", "tnslsnr", "/u01/app/oracle/product/19c/dbhome_1/bin/tnslsnr",
     "/u01/app/oracle/product/19c/dbhome_1/bin/tnslsnr LISTENER -inherit"},
    {"mysql", "mysqld", "/usr/sbin/mysqld", "/usr/sbin/mysqld"},
    {"mysql", "mysqld_safe", "/usr/bin/dash", "/bin/sh /usr/bin/mysqld_safe --datadir=/var/lib/mysql"},
    {"mariadb", "mariadbd", "/usr/sbin/mariadbd", "/usr/sbin/mariadbd"},
    {"sqlserver", "sqlservr", "/opt/mssql/bin/sqlservr", "/opt/mssql/bin/sqlservr"},
    {"postgres", "postgres", "/usr/lib/postgresql/15/bin/postgres",
     "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -c "
     "config_file=/etc/postgresql/15/main/postgresql.conf"},
    {"postgres", "postgres", "/usr/lib/postgresql/15/bin/postgres", "postgres: 15/main: checkpointer "},
    {"postgres", "postgres", "", "postgres: app orders 10.0.0.7(51234) idle in transaction"},
    {"influxdb", "influxd", "/usr/bin/influxd", "/usr/bin/influxd -config /etc/influxdb/influxdb.conf"},
    {"redis", "redis-server", "/usr/bin/redis-check-rdb", "/usr/bin/redis-server 127.0.0.1:6379"},
    {"redis", "redis-server", "/usr/bin/redis-check-rdb", "redis-server *:6379 [cluster]"},
    {"redis", "redis-sentinel", "/usr/bin/redis-check-rdb", "redis-sentinel *:26379 [sentinel]"},
    {"valkey", "valkey-server", "/usr/bin/valkey-check-rdb", "valkey-server *:6379"},
    {"mongodb", "mongod", "/usr/bin/mongod", "/usr/bin/mongod --config /etc/mongod.conf"},
    {"mongodb", "mongos", "/usr/bin/mongos", "mongos --configdb cfg/a:27019"},
    {"couchdb", "beam.smp", "/opt/couchdb/erts-12.3.2/bin/beam.smp",
     "/opt/couchdb/bin/../erts-12.3.2/bin/beam.smp -K true -A 16 -Bd -- -root /opt/couchdb/bin/.. -progname couchdb "
     "-- -home /opt/couchdb -- -boot /opt/couchdb/bin/../releases/3.3.3/couchdb -name couchdb@127.0.0.1"},
    {"rabbitmq", "beam.smp", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp",
     "/usr/lib/erlang/erts-13.1.5/bin/beam.smp -W w -MBas ageffcbf -MHas ageffcbf -P 1048576 -- -root /usr/lib/erlang "
     "-progname erl -- -home /var/lib/rabbitmq -- -pa  -noshell -noinput -s rabbit boot -boot start_sasl"},
    {"memcached", "memcached", "/usr/bin/memcached", "/usr/bin/memcached -m 64 -p 11211 -u memcache -l 127.0.0.1"},
    {"clickhouse", "clickhouse-serv", "/usr/bin/clickhouse",
     "/usr/bin/clickhouse-server --config-file=/etc/clickhouse-server/config.xml"},
    {"clickhouse", "clckhouse-watch", "/usr/bin/clickhouse", "clickhouse-watchdog --config-file=/etc/config.xml"},
    {"etcd", "etcd", "/usr/bin/etcd", "/usr/bin/etcd --name default"},
    {"apache", "apache2", "/usr/sbin/apache2", "/usr/sbin/apache2 -k start"},
    {"apache", "httpd", "/usr/sbin/httpd", "/usr/sbin/httpd -DFOREGROUND"},
    {"nginx", "nginx", "/usr/sbin/nginx", "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;"},
    {"nginx", "nginx", "/usr/sbin/nginx", "nginx: worker process"},
    {"nginx", "nginx", "/usr/sbin/nginx (deleted)", "nginx: worker process is shutting down"},
    {"haproxy", "haproxy", "/usr/sbin/haproxy",
     "/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock"},
    {"envoy", "envoy", "/usr/local/bin/envoy", "envoy -c /etc/envoy/envoy.yaml --service-cluster front"},
    {"caddy", "caddy", "/usr/bin/caddy", "/usr/bin/caddy run --environ --config /etc/caddy/Caddyfile"},
    {"php-fpm", "php-fpm8.2", "/usr/sbin/php-fpm8.2", "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"},
    {"php-fpm", "php-fpm", "/usr/local/sbin/php-fpm", "php-fpm: pool www"},
    {"gunicorn", "gunicorn", "/usr/bin/python3.11",
     "/srv/venv/bin/python3 /srv/venv/bin/gunicorn --workers 3 app.wsgi:application"},
    {"gunicorn", "gunicorn: maste", "/usr/bin/python3.11", "gunicorn: master [app.wsgi]"},
    {"gunicorn", "python3", "/usr/bin/python3.11", "python3 -m gunicorn app.wsgi"},
    {"uvicorn", "uvicorn", "/usr/bin/python3.11", "/srv/venv/bin/python /srv/venv/bin/uvicorn main:app --port 8000"},
    {"uvicorn", "python3", "/usr/bin/python3.11", "python3 -m uvicorn main:app"},
    {"node", "node", "/usr/bin/node", "node /srv/app/server.js"},
    {"node", "MainThread", "/usr/local/bin/node", "node server.js"},
    {"containerd", "containerd", "/usr/bin/containerd", "/usr/bin/containerd"},
    {"containerd", "containerd-shim", "/usr/bin/containerd-shim-runc-v2",
     "/usr/bin/containerd-shim-runc-v2 -namespace moby -id 3a1b -address /run/containerd/containerd.sock"},
    {"docker", "dockerd", "/usr/bin/dockerd", "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"},
    {"docker", "docker-proxy", "/usr/bin/docker-proxy", "/usr/bin/docker-proxy -proto tcp -host-port 80"},
    {"kubelet", "kubelet", "/usr/bin/kubelet", "/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf"},

    // None of them.
    {"", "bash", "/usr/bin/bash", "-bash"},
    {"", "python3", "/usr/bin/python3.11", "python3 manage.py runserver"},
    {"", "vi", "/usr/bin/vim.basic", "vi /etc/nginx/nginx.conf"},
    {"", "tail", "/usr/bin/tail", "tail -f /var/log/kafka.Kafka.log"},
    {"", "psql", "/usr/lib/postgresql/15/bin/psql", "psql -d postgres"},
    {"", "clickhouse", "/usr/bin/clickhouse", "clickhouse client --query SELECT 1"},
    {"", "beam.smp", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "/usr/lib/erlang/bin/beam.smp -- -progname erl"},
    {"", "kworker/0:1", "", ""},
    {"", "", "", ""},
};

TEST(AppCatalogueTest, KnowsTheseProgramsByTheirRealNames) {
  for (const Sighting& sighting : kSightings) {
    EXPECT_EQ(Shipped().Find(sighting.comm, sighting.exe, sighting.cmdline), sighting.app)
        << sighting.comm << " | " << sighting.exe << " | " << sighting.cmdline;
  }
}

TEST(AppCatalogueTest, EveryShippedEntryIsSeenInTheTable) {
  std::vector<std::string> seen;
  for (const Sighting& sighting : kSightings) {
    if (*sighting.app != '\0') seen.emplace_back(sighting.app);
  }
  for (const std::string& name : Shipped().names()) EXPECT_THAT(seen, testing::Contains(name));
}

TEST(AppCatalogueTest, FirstEntryThatFitsWinsWhateverIndexFoundIt) {
  std::vector<std::string> problems;
  const AppCatalogue catalogue(ParseApps(R"(
[[app]]
name = "any-x"
cmdline = '--x\b'
[[app]]
name = "prefixed"
program = "server-*"
[[app]]
name = "exact"
program = ["server-a", "other"]
)",
                                         "apps.toml", &problems));
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(catalogue.Find("other", "", "other --x"), "any-x");
  EXPECT_EQ(catalogue.Find("server-a", "", "server-a"), "prefixed");
  EXPECT_EQ(catalogue.Find("sh", "/opt/other", "sh"), "exact");
}

TEST(AppCatalogueTest, NameOfMoreThan15BytesMatchesTheCommTheKernelCutIt) {
  std::vector<std::string> problems;
  const AppCatalogue catalogue(ParseApps("[[app]]\nname = \"x\"\nprogram = \"a-very-long-server\"\n", "f", &problems));
  EXPECT_EQ(catalogue.Find("a-very-long-ser", "", ""), "x");
  EXPECT_EQ(catalogue.Find("sh", "/opt/a-very-long-server", ""), "x");
}

TEST(AppCatalogueTest, WrongEntryIsOneLineAndTheRestIsLoaded) {
  std::vector<std::string> problems;
  const auto entries = ParseApps(R"([[app]]
name = "a"
program = "a"
[[app]]
name = "b"
cmdline = '('
[[app]]
program = "c"
[[app]]
name = "d"
comand = "d"
[[app]]
name = "e"
[[app]]
name = "f"
program = "/usr/bin/f"
[[app]]
name = "g"
program = "g"
)",
                                 "my.toml", &problems);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].name, "g");
  EXPECT_THAT(problems, ElementsAre(HasSubstr("my.toml:6: cmdline: bad regular expression"),
                                    HasSubstr("my.toml:7: an application needs a name"),
                                    HasSubstr("my.toml:11: unknown key 'comand'"),
                                    HasSubstr("my.toml:12: an application needs program, exe or cmdline"),
                                    HasSubstr("my.toml:16: program '/usr/bin/f' must be a base name")));
}

TEST(AppCatalogueTest, FileThatIsNoTomlIsOneProblem) {
  std::vector<std::string> problems;
  EXPECT_THAT(ParseApps("[[app]\nname = \"a\"\n", "my.toml", &problems), IsEmpty());
  EXPECT_THAT(problems, ElementsAre(HasSubstr("my.toml:1: ")));
}

TEST(AppCatalogueTest, FilesOfTheUserComeBeforeTheShippedOnes) {
  char directory[] = "/tmp/taskmon-apps-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  std::ofstream(std::string(directory) + "/20-late.toml")
      << "[[app]]\nname = \"late\"\nprogram = [\"nginx\", \"mine\"]\n";
  std::ofstream(std::string(directory) + "/10-early.toml") << "[[app]]\nname = \"early\"\nprogram = \"mine\"\n"
                                                           << "[[app]]\nname = \"\"\nprogram = \"haproxy\"\n";
  std::ofstream(std::string(directory) + "/README") << "not TOML";
  std::vector<std::string> problems;
  const AppCatalogue catalogue = AppCatalogue::Load(directory, &problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(catalogue.Find("mine", "", ""), "early");
  EXPECT_EQ(catalogue.Find("nginx", "", ""), "late");
  EXPECT_EQ(catalogue.Find("haproxy", "", ""), "") << "an empty name takes an application out";
  EXPECT_EQ(catalogue.Find("mysqld", "", ""), "mysql");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace taskmon::rules
