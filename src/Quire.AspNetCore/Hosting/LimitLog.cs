using Microsoft.Extensions.Logging;

namespace Quire.AspNetCore;

/// <summary>Logs who holds an allocator's memory when its limit is hit: one message an interval, however often it is hit.</summary>
/// <remarks>
/// The thread that was refused only takes a note; the table is made and logged on a thread of the pool. Invariant: refusals = those counted in messages + <c>_unlogged</c>.
/// </remarks>
internal sealed class LimitLog : IDisposable
{
    private readonly PageAllocator _allocator;
    private readonly ILogger _log;
    private readonly long _interval;
    private readonly Func<long> _clock;
    private long _next = long.MinValue;
    private long _unlogged;

    internal LimitLog(PageAllocator allocator, TimeSpan interval, ILogger log, Func<long>? clock = null)
    {
        _allocator = allocator;
        _log = log;
        _interval = (long)Math.Min(interval.TotalMilliseconds, int.MaxValue);
        _clock = clock ?? (static () => Environment.TickCount64);
        allocator.LimitReached += Note;
    }

    public void Dispose() => _allocator.LimitReached -= Note;

    private void Note(object? sender, PageLimitNotice notice)
    {
        Interlocked.Increment(ref _unlogged);
        long now = _clock();
        long next = Volatile.Read(ref _next);

        // Happens before: publishes nothing; of many that are refused at once, the one whose exchange succeeds logs for all.
        if (now >= next && Interlocked.CompareExchange(ref _next, now + _interval, next) == next)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static work => work.Log.Write(work.Notice), (Log: this, Notice: notice), preferLocal: false);
        }
    }

    private void Write(PageLimitNotice notice)
    {
        long refused = 0;
        try
        {
            if (!_log.IsEnabled(LogLevel.Warning))
            {
                return;
            }

            refused = Interlocked.Exchange(ref _unlogged, 0);
            string hint = Holders.IsTracking ? "" : " Switch the ledger on (Quire:Tracking, or Holders.Track) to have them named.";
            _log.LimitReached(_allocator.Name, notice.LimitBytes, notice.RequestedBytes, refused, _allocator.GetStatistics().InUseBytes, _allocator.GetHolders().ToString().TrimEnd() + hint);
        }
#pragma warning disable CA1031 // On a thread of the pool, where it would end the process; and a log that fails has no other log.
        catch (Exception)
#pragma warning restore CA1031
        {
            // The allocator, or the logger's provider, went meanwhile, or a provider threw: the next message counts these too.
            Interlocked.Add(ref _unlogged, refused);
        }
    }
}
