// The names of the fields that the operations' JSON answers have, so that a policy cannot name one that does not exist. Data, with
// one reader. Never consulted for a request: what is shown is what the policy names, whether it is in here or not.
import type { OperationId } from './catalogue.ts'

/** Names with what is below them; a list of objects is as the objects in it; `*` is any name. */
export type FieldTree = ReadonlyMap<string, FieldTree>

/** The fields of the answer to `operation`; `undefined` where it answers no JSON object. Source: the Engine API's descriptions, 1.41 to 1.56. */
export function answerFields(operation: OperationId): FieldTree | undefined {
  const text = FIELDS[operation]
  return text === undefined ? undefined : readTree(text.match(/[^\s{}]+|[{}]/g)?.values() ?? [].values())
}

/** Reads names up to the closing brace: `Id State{Status Health{Status}}`. */
function readTree(tokens: IterableIterator<string>): FieldTree {
  const tree = new Map<string, FieldTree>()
  let last = ''
  for (let { value, done } = tokens.next(); !done && value !== '}'; { value, done } = tokens.next()) {
    if (value === '{') tree.set(last, readTree(tokens))
    else {
      last = value
      tree.set(last, new Map())
    }
  }
  return tree
}

const ENDPOINT = `
  IPAMConfig{IPv4Address IPv6Address LinkLocalIPs} Links Aliases NetworkID EndpointID Gateway IPAddress IPPrefixLen
  IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen MacAddress DriverOpts{*} GwPriority DNSNames
`
const DESCRIPTOR = `
  mediaType digest size urls annotations{*} data platform{architecture os os.version os.features variant} artifactType
`
const HEALTHCHECK = `
  Test Interval Timeout Retries StartPeriod StartInterval
`
const VOLUME = `
  Name Driver Mountpoint CreatedAt Status{*} Labels{*} Scope Options{*} UsageData{Size RefCount} ClusterVolume{ID
  Version{Index} CreatedAt UpdatedAt Spec{Group AccessMode{Scope Sharing MountVolume{FsType MountFlags} BlockVolume
  Secrets{Key Secret} AccessibilityRequirements{Requisite{Segments{*}} Preferred{Segments{*}}} CapacityRange{RequiredBytes
  LimitBytes} Availability} Secrets{Key Secret} AccessibilityRequirements{Requisite{Segments{*}} Preferred{Segments{*}}}
  CapacityRange{RequiredBytes LimitBytes} Availability} Info{CapacityBytes VolumeContext{*} VolumeID
  AccessibleTopology{Segments{*}}} PublishStatus{NodeID State PublishContext{*}}}
`

const CPU = `
  cpu_usage{total_usage percpu_usage usage_in_kernelmode usage_in_usermode} system_cpu_usage online_cpus
  throttling_data{periods throttled_periods throttled_time}
`
const BLKIO = 'major minor op value'

const FIELDS: Partial<Record<OperationId, string>> = {
  ContainerList: `
    Id Names Image ImageID Command Created Ports{IP PrivatePort PublicPort Type} SizeRw SizeRootFs Labels{*} State Status
    HostConfig{NetworkMode Annotations{*}} NetworkSettings{Networks{*{${ENDPOINT}}}} Mounts{Target Source Type ReadOnly
    Consistency BindOptions{Propagation NonRecursive} VolumeOptions{NoCopy Labels{*} DriverConfig{Name Options{*}}}
    TmpfsOptions{SizeBytes Mode} Name Destination Driver Mode RW Propagation} Health{Status FailingStreak}
    ImageManifestDescriptor{${DESCRIPTOR}}
  `,
  ContainerInspect: `
    Id Created Path Args State{Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt
    Health{Status FailingStreak Log{Start End ExitCode Output}}} Image ResolvConfPath HostnamePath HostsPath LogPath Name
    RestartCount Driver Platform MountLabel ProcessLabel AppArmorProfile ExecIDs HostConfig{CpuShares Memory CgroupParent
    BlkioWeight BlkioWeightDevice{Path Weight} BlkioDeviceReadBps{Path Rate} BlkioDeviceWriteBps{Path Rate}
    BlkioDeviceReadIOps{Path Rate} BlkioDeviceWriteIOps{Path Rate} CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime
    CpusetCpus CpusetMems Devices{PathOnHost PathInContainer CgroupPermissions} DeviceCgroupRules DeviceRequests{Driver
    Count DeviceIDs Capabilities Options{*}} KernelMemory KernelMemoryTCP MemoryReservation MemorySwap MemorySwappiness
    NanoCpus OomKillDisable Init PidsLimit Ulimits{Name Soft Hard} CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth
    Binds ContainerIDFile LogConfig{Type Config{*}} NetworkMode PortBindings{*{HostIp HostPort}} RestartPolicy{Name
    MaximumRetryCount} AutoRemove VolumeDriver VolumesFrom Mounts{Target Source Type ReadOnly Consistency
    BindOptions{Propagation NonRecursive CreateMountpoint ReadOnlyNonRecursive ReadOnlyForceRecursive} VolumeOptions{NoCopy
    Labels{*} DriverConfig{Name Options{*}} Subpath} TmpfsOptions{SizeBytes Mode Options} ImageOptions{Subpath}} CapAdd
    CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup Links OomScoreAdj PidMode Privileged
    PublishAllPorts ReadonlyRootfs SecurityOpt StorageOpt{*} Tmpfs{*} UTSMode UsernsMode ShmSize Sysctls{*} Runtime
    ConsoleSize Isolation MaskedPaths ReadonlyPaths Annotations{*} Umask} GraphDriver{Name Data{*}} SizeRw SizeRootFs
    Mounts{Type Name Source Destination Driver Mode RW Propagation} Config{Hostname Domainname User AttachStdin AttachStdout
    AttachStderr ExposedPorts{*} Tty OpenStdin StdinOnce Env Cmd Healthcheck{${HEALTHCHECK}} ArgsEscaped Image Volumes{*}
    WorkingDir Entrypoint NetworkDisabled MacAddress OnBuild Labels{*} StopSignal StopTimeout Shell} NetworkSettings{Bridge
    SandboxID HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen Ports{*{HostIp HostPort}} SandboxKey
    SecondaryIPAddresses{Addr PrefixLen} SecondaryIPv6Addresses{Addr PrefixLen} EndpointID Gateway GlobalIPv6Address
    GlobalIPv6PrefixLen IPAddress IPPrefixLen IPv6Gateway MacAddress Networks{*{${ENDPOINT}}}}
    ImageManifestDescriptor{${DESCRIPTOR}} Storage{RootFS{Snapshot{Name}}}
  `,
  SystemEvents: 'Type Action Actor{ID Attributes{*}} scope time timeNano status id from',
  ContainerWait: 'StatusCode Error{Message}',
  ContainerStats: `
    id name Id Name os_type read preread pids_stats{current limit} num_procs storage_stats{*} cpu_stats{${CPU}}
    precpu_stats{${CPU}} memory_stats{usage max_usage stats{*} failcnt limit commitbytes commitpeakbytes privateworkingset}
    networks{*{rx_bytes rx_packets rx_errors rx_dropped tx_bytes tx_packets tx_errors tx_dropped endpoint_id instance_id}}
    blkio_stats{io_service_bytes_recursive{${BLKIO}} io_serviced_recursive{${BLKIO}} io_queue_recursive{${BLKIO}}
    io_service_time_recursive{${BLKIO}} io_wait_time_recursive{${BLKIO}} io_merged_recursive{${BLKIO}}
    io_time_recursive{${BLKIO}} sectors_recursive{${BLKIO}}}
  `,
  SystemAuth: 'Status IdentityToken',
  ContainerUpdate: 'Warnings',
  ContainerCreate: 'Id Warnings',
  ContainerExec: 'Id',
  ExecInspect: `
    CanRemove DetachKeys ID Running ExitCode ProcessConfig{privileged user tty entrypoint arguments} OpenStdin OpenStderr
    OpenStdout ContainerID Pid
  `,
  ImageCommit: 'Id',
  NetworkCreate: 'Id Warning',
  VolumeCreate: VOLUME,
  ServiceCreate: 'ID Warnings Warning',
  ServiceUpdate: 'Warnings',
  SecretCreate: 'ID',
  ConfigCreate: 'ID',
  ContainerTop: 'Titles Processes',
  ContainerChanges: 'Path Kind',
  ImageList: `
    Id ParentId RepoTags RepoDigests Created Size SharedSize VirtualSize Labels{*} Containers Manifests{ID
    Descriptor{${DESCRIPTOR}} Available Size{Total Content} Kind ImageData{Platform{architecture os os.version os.features
    variant} Identity{Signature{Name Timestamps{Type URI Timestamp} KnownSigner DockerReference Signer{CertificateIssuer
    SubjectAlternativeName Issuer BuildSignerURI BuildSignerDigest RunnerEnvironment SourceRepositoryURI
    SourceRepositoryDigest SourceRepositoryRef SourceRepositoryIdentifier SourceRepositoryOwnerURI
    SourceRepositoryOwnerIdentifier BuildConfigURI BuildConfigDigest BuildTrigger RunInvocationURI
    SourceRepositoryVisibilityAtSigning} SignatureType Error Warnings} Pull{Repository} Build{Ref CreatedAt}} Containers
    Size{Unpacked}} AttestationData{For}} Descriptor{${DESCRIPTOR}}
  `,
  ImageInspect: `
    Id RepoTags RepoDigests Parent Comment Created Container ContainerConfig{Hostname Domainname User AttachStdin
    AttachStdout AttachStderr ExposedPorts{*} Tty OpenStdin StdinOnce Env Cmd Healthcheck{Test Interval Timeout Retries
    StartPeriod} ArgsEscaped Image Volumes{*} WorkingDir Entrypoint NetworkDisabled MacAddress OnBuild Labels{*} StopSignal
    StopTimeout Shell} DockerVersion Author Config{Hostname Domainname User AttachStdin AttachStdout AttachStderr
    ExposedPorts{*} Tty OpenStdin StdinOnce Env Cmd Healthcheck{${HEALTHCHECK}} ArgsEscaped Image Volumes{*} WorkingDir
    Entrypoint NetworkDisabled MacAddress OnBuild Labels{*} StopSignal StopTimeout Shell} Architecture Os OsVersion Size
    VirtualSize GraphDriver{Name Data{*}} RootFS{Type Layers BaseLayer} Metadata{LastTagTime} Descriptor{${DESCRIPTOR}}
    Manifests{ID Descriptor{${DESCRIPTOR}} Available Size{Total Content} Kind ImageData{Platform{architecture os os.version
    os.features variant} Identity{Signature{Name Timestamps{Type URI Timestamp} KnownSigner DockerReference
    Signer{CertificateIssuer SubjectAlternativeName Issuer BuildSignerURI BuildSignerDigest RunnerEnvironment
    SourceRepositoryURI SourceRepositoryDigest SourceRepositoryRef SourceRepositoryIdentifier SourceRepositoryOwnerURI
    SourceRepositoryOwnerIdentifier BuildConfigURI BuildConfigDigest BuildTrigger RunInvocationURI
    SourceRepositoryVisibilityAtSigning} SignatureType Error Warnings} Pull{Repository} Build{Ref CreatedAt}} Containers
    Size{Unpacked}} AttestationData{For}} Identity{Signature{Name Timestamps{Type URI Timestamp} KnownSigner DockerReference
    Signer{CertificateIssuer SubjectAlternativeName Issuer BuildSignerURI BuildSignerDigest RunnerEnvironment
    SourceRepositoryURI SourceRepositoryDigest SourceRepositoryRef SourceRepositoryIdentifier SourceRepositoryOwnerURI
    SourceRepositoryOwnerIdentifier BuildConfigURI BuildConfigDigest BuildTrigger RunInvocationURI
    SourceRepositoryVisibilityAtSigning} SignatureType Error Warnings} Pull{Repository} Build{Ref CreatedAt}} Variant
  `,
  ImageHistory: 'Id Created CreatedBy Tags Size Comment',
  ImageDelete: 'Untagged Deleted',
  ImageSearch: 'description is_official is_automated name star_count',
  ImagePrune: 'ImagesDeleted{Untagged Deleted} SpaceReclaimed',
  BuildPrune: 'CachesDeleted SpaceReclaimed',
  SystemInfo: `
    ID Containers ContainersRunning ContainersPaused ContainersStopped Images Driver DriverStatus DockerRootDir
    Plugins{Volume Network Authorization Log} MemoryLimit SwapLimit KernelMemory CpuCfsPeriod CpuCfsQuota CPUShares CPUSet
    PidsLimit OomKillDisable IPv4Forwarding BridgeNfIptables BridgeNfIp6tables Debug NFd NGoroutines SystemTime
    LoggingDriver CgroupDriver CgroupVersion NEventsListener KernelVersion OperatingSystem OSVersion OSType Architecture
    NCPU MemTotal IndexServerAddress RegistryConfig{AllowNondistributableArtifactsCIDRs
    AllowNondistributableArtifactsHostnames InsecureRegistryCIDRs IndexConfigs{*{Name Mirrors Secure Official}} Mirrors}
    GenericResources{NamedResourceSpec{Kind Value} DiscreteResourceSpec{Kind Value}} HttpProxy HttpsProxy NoProxy Name
    Labels ExperimentalBuild ServerVersion ClusterStore ClusterAdvertise Runtimes{*{path runtimeArgs status{*}}}
    DefaultRuntime Swarm{NodeID NodeAddr LocalNodeState ControlAvailable Error RemoteManagers{NodeID Addr} Nodes Managers
    Cluster{ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Orchestration{TaskHistoryRetentionLimit}
    Raft{SnapshotInterval KeepOldSnapshots LogEntriesForSlowFollowers ElectionTick HeartbeatTick}
    Dispatcher{HeartbeatPeriod} CAConfig{NodeCertExpiry ExternalCAs{Protocol URL Options{*} CACert} SigningCACert
    SigningCAKey ForceRotate} EncryptionConfig{AutoLockManagers} TaskDefaults{LogDriver{Name Options{*}}}} TLSInfo{TrustRoot
    CertIssuerSubject CertIssuerPublicKey} RootRotationInProgress DataPathPort DefaultAddrPool SubnetSize} Warnings}
    LiveRestoreEnabled Isolation InitBinary ContainerdCommit{ID Expected} RuncCommit{ID Expected} InitCommit{ID Expected}
    SecurityOptions ProductLicense DefaultAddressPools{Base Size} Warnings FirewallBackend{Driver Info}
    DiscoveredDevices{Source ID} NRI{Info} CDISpecDirs Containerd{Address Namespaces{Containers Plugins}} KernelMemoryTCP
  `,
  SystemVersion: `
    Platform{Name} Components{Name Version Details{*}} Version ApiVersion MinAPIVersion GitCommit GoVersion Os Arch
    KernelVersion Experimental BuildTime
  `,
  SystemDataUsage: `
    LayersSize BuilderSize Images{*} Containers{*} Volumes{*} BuildCache{*} ImagesUsage{*} ContainersUsage{*}
    VolumesUsage{*} BuildCacheUsage{*}
  `,
  VolumeList: `Volumes{${VOLUME}} Warnings`,
  VolumeInspect: VOLUME,
  VolumePrune: 'VolumesDeleted SpaceReclaimed',
  NetworkList: `
    Name Id Created Scope Driver EnableIPv6 IPAM{Driver Config{Subnet IPRange Gateway AuxiliaryAddresses{*}} Options{*}}
    Internal Attachable Ingress Options{*} Labels{*}
    EnableIPv4 ConfigFrom{Network} ConfigOnly Peers{Name IP}
  `,
  NetworkInspect: `
    Name Id Created Scope Driver EnableIPv6 IPAM{Driver Config{Subnet IPRange Gateway AuxiliaryAddresses{*}} Options{*}}
    Internal Attachable Ingress Options{*} Labels{*}
    EnableIPv4 ConfigFrom{Network} ConfigOnly Peers{Name IP} Services{*{VIP Ports LocalLBIndex Tasks{Name EndpointID
    EndpointIP Info{*}}}} Status{IPAM{Subnets{*{IPsInUse DynamicIPsAvailable}}}}
  `,
  NetworkPrune: 'NetworksDeleted',
  PluginList: `
    Id Name Enabled Settings{Mounts{*} Env Args Devices{*}} PluginReference Config{DockerVersion Description Documentation
    Interface{*} Entrypoint WorkDir User{*} Network{*} Linux{*} PropagatedMount IpcHost PidHost Mounts{*} Env{*} Args{*}
    rootfs{*}}
  `,
  PluginInspect: `
    Id Name Enabled Settings{Mounts{*} Env Args Devices{*}} PluginReference Config{DockerVersion Description Documentation
    Interface{*} Entrypoint WorkDir User{*} Network{*} Linux{*} PropagatedMount IpcHost PidHost Mounts{*} Env{*} Args{*}
    rootfs{*}}
  `,
  GetPluginPrivileges: 'Name Description Value',
  NodeList: `
    ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Role Availability} Description{Hostname Platform{*}
    Resources{*} Engine{*} TLSInfo{*}} Status{State Message Addr} ManagerStatus{Leader Reachability Addr}
  `,
  NodeInspect: `
    ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Role Availability} Description{Hostname Platform{*}
    Resources{*} Engine{*} TLSInfo{*}} Status{State Message Addr} ManagerStatus{Leader Reachability Addr}
  `,
  SwarmInspect: `
    ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Orchestration{*} Raft{*} Dispatcher{*} CAConfig{*}
    EncryptionConfig{*} TaskDefaults{*}} TLSInfo{TrustRoot CertIssuerSubject CertIssuerPublicKey} RootRotationInProgress
    DataPathPort DefaultAddrPool SubnetSize JoinTokens{Worker Manager}
  `,
  SwarmUnlockkey: 'UnlockKey',
  ServiceList: `
    ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} TaskTemplate{*} Mode{*} UpdateConfig{*} RollbackConfig{*}
    Networks{*} EndpointSpec{*}} Endpoint{Spec{*} Ports{*} VirtualIPs{*}} UpdateStatus{State StartedAt CompletedAt Message}
    ServiceStatus{RunningTasks DesiredTasks CompletedTasks} JobStatus{JobIteration{*} LastExecution} PreviousSpec{Name
    Labels{*} TaskTemplate{*} Mode{*} UpdateConfig{*} RollbackConfig{*} Networks{*} EndpointSpec{*}}
  `,
  ServiceInspect: `
    ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} TaskTemplate{*} Mode{*} UpdateConfig{*} RollbackConfig{*}
    Networks{*} EndpointSpec{*}} Endpoint{Spec{*} Ports{*} VirtualIPs{*}} UpdateStatus{State StartedAt CompletedAt Message}
    ServiceStatus{RunningTasks DesiredTasks CompletedTasks} JobStatus{JobIteration{*} LastExecution} PreviousSpec{Name
    Labels{*} TaskTemplate{*} Mode{*} UpdateConfig{*} RollbackConfig{*} Networks{*} EndpointSpec{*}}
  `,
  TaskList: `
    ID Version{Index} CreatedAt UpdatedAt Name Labels{*} Spec{PluginSpec{*} ContainerSpec{*} NetworkAttachmentSpec{*}
    Resources{*} RestartPolicy{*} Placement{*} ForceUpdate Runtime Networks{*} LogDriver{*}} ServiceID Slot NodeID
    AssignedGenericResources{NamedResourceSpec{*} DiscreteResourceSpec{*}} Status{Timestamp State Message Err
    ContainerStatus{*} PortStatus{*}} DesiredState JobIteration{Index} NetworksAttachments{Network{*} Addresses}
    GenericResources{NamedResourceSpec{*} DiscreteResourceSpec{*}}
  `,
  TaskInspect: `
    ID Version{Index} CreatedAt UpdatedAt Name Labels{*} Spec{PluginSpec{*} ContainerSpec{*} NetworkAttachmentSpec{*}
    Resources{*} RestartPolicy{*} Placement{*} ForceUpdate Runtime Networks{*} LogDriver{*}} ServiceID Slot NodeID
    AssignedGenericResources{NamedResourceSpec{*} DiscreteResourceSpec{*}} Status{Timestamp State Message Err
    ContainerStatus{*} PortStatus{*}} DesiredState JobIteration{Index} NetworksAttachments{Network{*} Addresses}
    GenericResources{NamedResourceSpec{*} DiscreteResourceSpec{*}}
  `,
  SecretList: `
    ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Data Driver{Name Options{*}} Templating{Name Options{*}}}
  `,
  SecretInspect: `
    ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Data Driver{Name Options{*}} Templating{Name Options{*}}}
  `,
  ConfigList: 'ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Data Templating{Name Options{*}}}',
  ConfigInspect: 'ID Version{Index} CreatedAt UpdatedAt Spec{Name Labels{*} Data Templating{Name Options{*}}}',
  DistributionInspect: `
    Descriptor{MediaType Size Digest URLs mediaType digest size urls annotations{*} data platform{architecture os os.version
    os.features variant} artifactType} Platforms{Architecture OS OSVersion OSFeatures Variant Features architecture os
    os.version os.features variant}
  `,
  ImageAttestations: `Descriptor{${DESCRIPTOR}} PredicateType Statement{*}`,
  CheckpointList: 'Name',
}
