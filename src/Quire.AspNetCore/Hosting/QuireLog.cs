using Microsoft.Extensions.Logging;

namespace Quire.AspNetCore;

/// <summary>What Quire writes to the log, in the category <c>Quire</c>. The numbers never change their meaning.</summary>
internal static partial class QuireLog
{
    internal const string Category = "Quire";

    [LoggerMessage(1, LogLevel.Warning, "Allocator '{Allocator}' is at its limit of {LimitBytes} bytes, {InUseBytes} of them in use: {RequestedBytes} bytes were refused ({Refused} refusals since the last message).\n{Holders}")]
    internal static partial void LimitReached(this ILogger log, string allocator, long limitBytes, long requestedBytes, long refused, long inUseBytes, string holders);

    [LoggerMessage(2, LogLevel.Warning, "Allocator '{Allocator}' was disposed with {HeldBytes} bytes still held; its memory goes when they have come back.\n{Holders}")]
    internal static partial void HeldAtShutdown(this ILogger log, string allocator, long heldBytes, string holders);

    [LoggerMessage(3, LogLevel.Information, "Page memory '{Allocator}': limit {LimitBytes} bytes, {Provider}, ledger {Ledger}.")]
    internal static partial void Started(this ILogger log, string allocator, long limitBytes, QuireProvider provider, string ledger);

    [LoggerMessage(4, LogLevel.Warning, "The ledger can't be kept on: {Reason}")]
    internal static partial void NoTracking(this ILogger log, string reason);

    [LoggerMessage(5, LogLevel.Information, "The ledger is on for {Seconds} s, asked for through the page of holders by {Client}.")]
    internal static partial void TrackingAsked(this ILogger log, int seconds, string client);
}
