package testing;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.datastreams.CreateDataStreamAction;
import org.elasticsearch.action.datastreams.DataStreamsActionUtil;
import org.elasticsearch.action.datastreams.DeleteDataStreamAction;
import org.elasticsearch.action.datastreams.GetDataStreamAction;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.action.support.IndicesOptions;
import org.elasticsearch.action.support.local.TransportLocalProjectMetadataAction;
import org.elasticsearch.action.support.master.AcknowledgedResponse;
import org.elasticsearch.action.support.master.AcknowledgedTransportMasterNodeAction;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.ProjectState;
import org.elasticsearch.cluster.block.ClusterBlockException;
import org.elasticsearch.cluster.block.ClusterBlockLevel;
import org.elasticsearch.cluster.health.ClusterHealthStatus;
import org.elasticsearch.cluster.metadata.ComposableIndexTemplate;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.DataStreamFailureStoreSettings;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.metadata.MetadataCreateDataStreamService;
import org.elasticsearch.cluster.metadata.MetadataDataStreamsService;
import org.elasticsearch.cluster.metadata.MetadataIndexTemplateService;
import org.elasticsearch.cluster.project.ProjectResolver;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Strings;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestUtils;
import org.elasticsearch.rest.action.RestToXContentListener;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;

/** PUT, GET and DELETE _data_stream, and the three actions behind them. */
public class DataStreams extends BaseRestHandler {
    @Override
    public String getName() {
        return "test_data_streams";
    }

    @Override
    public List<Route> routes() {
        return List.of(
            new Route(RestRequest.Method.PUT, "/_data_stream/{name}"),
            new Route(RestRequest.Method.DELETE, "/_data_stream/{name}"),
            new Route(RestRequest.Method.GET, "/_data_stream/{name}"),
            new Route(RestRequest.Method.GET, "/_data_stream"));
    }

    @Override
    protected RestChannelConsumer prepareRequest(RestRequest r, NodeClient client) {
        var wait = RestUtils.getMasterNodeTimeout(r);
        String[] names = Strings.splitStringByCommaToArray(r.param("name", "*"));
        switch (r.method()) {
            case PUT -> {
                var req = new CreateDataStreamAction.Request(wait, RestUtils.getAckTimeout(r), r.param("name"));
                return ch -> client.execute(CreateDataStreamAction.INSTANCE, req, new RestToXContentListener<>(ch));
            }
            case DELETE -> {
                var req = new DeleteDataStreamAction.Request(wait, names);
                req.indicesOptions(IndicesOptions.fromRequest(r, req.indicesOptions()));
                return ch -> client.execute(DeleteDataStreamAction.INSTANCE, req, new RestToXContentListener<>(ch));
            }
            default -> {
                var req = new GetDataStreamAction.Request(wait, names);
                req.includeDefaults(r.paramAsBoolean("include_defaults", false));
                req.indicesOptions(IndicesOptions.fromRequest(r, req.indicesOptions()));
                return ch -> client.execute(GetDataStreamAction.INSTANCE, req, new RestToXContentListener<>(ch));
            }
        }
    }

    public static class Create extends AcknowledgedTransportMasterNodeAction<CreateDataStreamAction.Request> {
        private final MetadataCreateDataStreamService service;
        private final ProjectResolver projects;

        @Inject
        public Create(TransportService transport, ClusterService cluster, ThreadPool pool, ActionFilters filters,
                      MetadataCreateDataStreamService service, ProjectResolver projects) {
            super(CreateDataStreamAction.NAME, transport, cluster, pool, filters, CreateDataStreamAction.Request::new, Runnable::run);
            this.service = service;
            this.projects = projects;
        }

        @Override
        protected void masterOperation(Task t, CreateDataStreamAction.Request r, ClusterState s, ActionListener<AcknowledgedResponse> l) {
            service.createDataStream(
                new MetadataCreateDataStreamService.CreateDataStreamClusterStateUpdateRequest(
                    projects.getProjectId(), r.getName(), r.getStartTime(), null, r.masterNodeTimeout(), r.ackTimeout()), l);
        }

        @Override
        protected ClusterBlockException checkBlock(CreateDataStreamAction.Request r, ClusterState s) {
            return s.blocks().globalBlockedException(projects.getProjectId(), ClusterBlockLevel.METADATA_WRITE);
        }
    }

    public static class Delete extends AcknowledgedTransportMasterNodeAction<DeleteDataStreamAction.Request> {
        private final IndexNameExpressionResolver resolver;
        private final ProjectResolver projects;

        @Inject
        public Delete(TransportService transport, ClusterService cluster, ThreadPool pool, ActionFilters filters,
                      IndexNameExpressionResolver resolver, ProjectResolver projects) {
            super(DeleteDataStreamAction.NAME, transport, cluster, pool, filters, DeleteDataStreamAction.Request::new, Runnable::run);
            this.resolver = resolver;
            this.projects = projects;
        }

        @Override
        protected void masterOperation(Task t, DeleteDataStreamAction.Request r, ClusterState s, ActionListener<AcknowledgedResponse> l) {
            var project = projects.getProjectId();
            // a missing plain name answers 404 here, before any change of state
            DataStreamsActionUtil.getDataStreamNames(resolver, s.metadata().getProject(project), r.getNames(), r.indicesOptions());
            clusterService.submitUnbatchedStateUpdateTask("delete-data-stream", new ClusterStateUpdateTask(r.masterNodeTimeout()) {
                @Override
                public ClusterState execute(ClusterState now) {
                    ProjectState state = now.projectState(project);
                    Set<DataStream> doomed = new HashSet<>();
                    for (String name : DataStreamsActionUtil.getDataStreamNames(resolver, state.metadata(), r.getNames(), r.indicesOptions())) {
                        doomed.add(state.metadata().dataStreams().get(name));
                    }
                    return doomed.isEmpty() ? now : MetadataDataStreamsService.deleteDataStreams(state, doomed, clusterService.getSettings());
                }

                @Override
                public void clusterStateProcessed(ClusterState before, ClusterState after) {
                    l.onResponse(AcknowledgedResponse.TRUE);
                }

                @Override
                public void onFailure(Exception e) {
                    l.onFailure(e);
                }
            });
        }

        @Override
        protected ClusterBlockException checkBlock(DeleteDataStreamAction.Request r, ClusterState s) {
            return s.blocks().globalBlockedException(projects.getProjectId(), ClusterBlockLevel.METADATA_WRITE);
        }
    }

    public static class Get extends TransportLocalProjectMetadataAction<GetDataStreamAction.Request, GetDataStreamAction.Response> {
        private final IndexNameExpressionResolver resolver;
        private final DataStreamFailureStoreSettings failureStore;

        @Inject
        public Get(TransportService transport, ClusterService cluster, ActionFilters filters, ProjectResolver projects,
                   IndexNameExpressionResolver resolver, DataStreamFailureStoreSettings failureStore) {
            super(GetDataStreamAction.NAME, filters, transport.getTaskManager(), cluster, Runnable::run, projects);
            this.resolver = resolver;
            this.failureStore = failureStore;
        }

        @Override
        protected void localClusterStateOperation(Task t, GetDataStreamAction.Request r, ProjectState state,
                                                  ActionListener<GetDataStreamAction.Response> l) {
            var names = DataStreamsActionUtil.getDataStreamNames(resolver, state.metadata(), r.getNames(), r.indicesOptions());
            l.onResponse(new GetDataStreamAction.Response(names.stream().sorted().map(n -> describe(state, n)).toList()));
        }

        private GetDataStreamAction.Response.DataStreamInfo describe(ProjectState state, String name) {
            DataStream ds = state.metadata().dataStreams().get(name);
            ComposableIndexTemplate template = MetadataCreateDataStreamService.lookupTemplateForDataStream(name, state.metadata());
            String templateName = MetadataIndexTemplateService.findV2Template(state.metadata(), name, false);
            // no replicas are asked for on a single node, so an unassigned primary is the only trouble worth telling
            boolean up = ds.getIndices().stream().allMatch(i -> state.routingTable().index(i).allPrimaryShardsActive());
            return new GetDataStreamAction.Response.DataStreamInfo(
                ds, ds.isFailureStoreEffectivelyEnabled(failureStore), up ? ClusterHealthStatus.GREEN : ClusterHealthStatus.RED, templateName, null, null, Map.of(),
                template != null, null, null);
        }

        @Override
        protected ClusterBlockException checkBlock(GetDataStreamAction.Request r, ProjectState state) {
            return state.blocks().globalBlockedException(state.projectId(), ClusterBlockLevel.METADATA_READ);
        }
    }
}
