using System.Globalization;
using System.Text;

namespace Quire.Samples.UdpRelay;

/// <summary>What the relay had counted at one moment, with the words to print it.</summary>
/// <remarks>
/// While traffic flows the numbers are read one after the other, so they may disagree by what moved in between; on a
/// relay at rest <see cref="Verify"/> holds exactly.
/// </remarks>
internal sealed record RelayStatistics
{
    internal required TimeSpan Uptime { get; init; }

    internal required long ClientDatagrams { get; init; }

    internal required long ClientBytes { get; init; }

    internal required long ForwardedDatagrams { get; init; }

    internal required long ForwardedBytes { get; init; }

    internal required long ReplyDatagrams { get; init; }

    internal required long ReplyBytes { get; init; }

    internal required long ReturnedDatagrams { get; init; }

    internal required long ReturnedBytes { get; init; }

    internal required int QueriesQueued { get; init; }

    internal required int RepliesQueued { get; init; }

    internal required long SessionsOpen { get; init; }

    internal required long SessionsOpened { get; init; }

    internal required long SessionsExpired { get; init; }

    internal required long SessionsEvicted { get; init; }

    internal required long SessionsMoved { get; init; }

    /// <summary>"Port unreachable" answers from upstream hosts.</summary>
    internal required long Refusals { get; init; }

    internal required long ReceiveErrors { get; init; }

    /// <summary>Queries the kernel dropped before the relay saw them: the listening socket's receive buffer was full.</summary>
    internal required long KernelDropsOfQueries { get; init; }

    /// <summary>The same for replies, over all sessions.</summary>
    internal required long KernelDropsOfReplies { get; init; }

    /// <summary>Pages in use, of 4 KiB each: queued datagrams, and what the receivers keep ready. 0 once stopped.</summary>
    internal required long PagesHeld { get; init; }

    /// <summary>Bytes that the whole process ever allocated on the garbage-collected heap. Datagrams add none.</summary>
    internal required long GarbageBytes { get; init; }

    internal required IReadOnlyList<long> Drops { get; init; }

    internal long QueryDrops => Sum(query: true);

    internal long ReplyDrops => Sum(query: false);

    internal long DropsOf(DropReason reason) => Drops[(int)reason];

    /// <summary>Every datagram received was sent, dropped for a reason that has a name, or waits. Throws where that does not hold.</summary>
    internal void Verify()
    {
        Check("queries", ClientDatagrams, ForwardedDatagrams, QueryDrops, QueriesQueued);
        Check("replies", ReplyDatagrams, ReturnedDatagrams, ReplyDrops, RepliesQueued);

        static void Check(string what, long received, long sent, long dropped, long queued)
        {
            if (received != sent + dropped + queued)
            {
                throw new InvalidOperationException(
                    $"{what}: {received} received, but {sent} sent + {dropped} dropped + {queued} queued = {sent + dropped + queued}");
            }
        }
    }

    /// <summary>One line of <c>name=value</c>; drops only by those reasons that occurred.</summary>
    internal string ToLine()
    {
        StringBuilder line = new();
        line.Append(CultureInfo.InvariantCulture, $"up={Uptime.TotalSeconds:F1}s sessions={SessionsOpen}");
        line.Append(CultureInfo.InvariantCulture, $" queries={ClientDatagrams} forwarded={ForwardedDatagrams} replies={ReplyDatagrams} returned={ReturnedDatagrams}");
        line.Append(CultureInfo.InvariantCulture, $" bytes-in={ClientBytes + ReplyBytes} bytes-out={ForwardedBytes + ReturnedBytes}");
        line.Append(CultureInfo.InvariantCulture, $" queued={QueriesQueued + RepliesQueued} dropped={QueryDrops + ReplyDrops}");
        AppendDrops(line, " ");
        line.Append(CultureInfo.InvariantCulture, $" kernel-dropped={KernelDropsOfQueries + KernelDropsOfReplies} refused={Refusals}");
        line.Append(CultureInfo.InvariantCulture, $" opened={SessionsOpened} expired={SessionsExpired} evicted={SessionsEvicted} moved={SessionsMoved}");
        line.Append(CultureInfo.InvariantCulture, $" receive-errors={ReceiveErrors} pages={PagesHeld} gc-allocated={GarbageBytes}");
        return line.ToString();
    }

    /// <summary>The totals printed when the relay has stopped, one subject a line.</summary>
    internal string ToTotals()
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"stopped after {Uptime.TotalSeconds:F1} s\n");
        text.Append(CultureInfo.InvariantCulture, $"  queries   {ClientDatagrams} received ({ClientBytes} B), ");
        text.Append(CultureInfo.InvariantCulture, $"{ForwardedDatagrams} forwarded ({ForwardedBytes} B), {QueryDrops} dropped\n");
        text.Append(CultureInfo.InvariantCulture, $"  replies   {ReplyDatagrams} received ({ReplyBytes} B), ");
        text.Append(CultureInfo.InvariantCulture, $"{ReturnedDatagrams} returned ({ReturnedBytes} B), {ReplyDrops} dropped\n");
        text.Append("  drops    ");
        if (QueryDrops + ReplyDrops == 0)
        {
            text.Append(" none");
        }
        else
        {
            AppendDrops(text, " ");
        }

        text.Append(CultureInfo.InvariantCulture, $"\n  kernel    {KernelDropsOfQueries} queries and {KernelDropsOfReplies} replies ");
        text.Append("dropped before the relay saw them (receive buffer full)\n");
        text.Append(CultureInfo.InvariantCulture, $"  upstream  {Refusals} refusals (port unreachable), {ReceiveErrors} other receive errors\n");
        text.Append(CultureInfo.InvariantCulture, $"  sessions  {SessionsOpened} opened, {SessionsExpired} expired, {SessionsEvicted} evicted, {SessionsMoved} moved\n");
        text.Append(CultureInfo.InvariantCulture, $"  pages held: {PagesHeld}");
        return text.ToString();
    }

    private void AppendDrops(StringBuilder text, string before)
    {
        for (int index = 0; index < Drops.Count; index++)
        {
            if (Drops[index] != 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"{before}{((DropReason)index).Name()}={Drops[index]}");
            }
        }
    }

    private long Sum(bool query)
    {
        long sum = 0;
        for (int index = 0; index < Drops.Count; index++)
        {
            if (((DropReason)index).IsQuery() == query)
            {
                sum += Drops[index];
            }
        }

        return sum;
    }
}
