namespace Quire.Samples.UdpRelay;

/// <summary>Every way in which the relay can lose a datagram that it has received. Queries go to an upstream, replies to a client.</summary>
internal enum DropReason
{
    QueryQueueFull,
    QueryNoMemory,
    QueryNoSocket,
    QueryRefused,
    QueryUnreachable,
    QueryTooLarge,
    QuerySocketFull,
    QueryError,
    QueryStopped,
    ReplyQueueFull,
    ReplyNoMemory,
    ReplyUnreachable,
    ReplyTooLarge,
    ReplyError,
    ReplyStopped,
}

/// <summary>The words for each <see cref="DropReason"/>, as they stand in statistics.</summary>
internal static class DropReasons
{
    internal const int Count = (int)DropReason.ReplyStopped + 1;

    internal static bool IsQuery(this DropReason reason) => reason < DropReason.ReplyQueueFull;

    internal static string Name(this DropReason reason) => reason switch
    {
        DropReason.QueryQueueFull => "query-queue-full",
        DropReason.QueryNoMemory => "query-no-memory",
        DropReason.QueryNoSocket => "query-no-socket",
        DropReason.QueryRefused => "query-refused",
        DropReason.QueryUnreachable => "query-unreachable",
        DropReason.QueryTooLarge => "query-too-large",
        DropReason.QuerySocketFull => "query-socket-full",
        DropReason.QueryError => "query-error",
        DropReason.QueryStopped => "query-stopped",
        DropReason.ReplyQueueFull => "reply-queue-full",
        DropReason.ReplyNoMemory => "reply-no-memory",
        DropReason.ReplyUnreachable => "reply-unreachable",
        DropReason.ReplyTooLarge => "reply-too-large",
        DropReason.ReplyError => "reply-error",
        DropReason.ReplyStopped => "reply-stopped",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, null),
    };
}
