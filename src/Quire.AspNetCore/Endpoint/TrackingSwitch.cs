namespace Quire.AspNetCore;

/// <summary>Keeps the ledger on for a while. Asked again it stays on until the later of the two ends.</summary>
internal sealed class TrackingSwitch : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Timer _timer;
    private IDisposable? _session;
    private DateTime _until;
    private bool _disposed;

    internal TrackingSwitch() => _timer = new Timer(_ => Tick());

    /// <summary>How long it stays on for those who asked here; zero where nobody did.</summary>
    internal TimeSpan Left
    {
        get
        {
            lock (_gate)
            {
                TimeSpan left = _until - DateTime.UtcNow;
                return _session is null || left < TimeSpan.Zero ? TimeSpan.Zero : left;
            }
        }
    }

    /// <exception cref="NotSupportedException">Tracing is switched away in this application.</exception>
    internal void Start(TimeSpan time)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            DateTime until = DateTime.UtcNow + time;
            _session ??= Holders.Track();
            if (until > _until)
            {
                _until = until;
                _timer.Change(time, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            End();
        }

        _timer.Dispose();
    }

    private void Tick()
    {
        lock (_gate)
        {
            // A timer's last call may come after it was set anew.
            TimeSpan left = _until - DateTime.UtcNow;
            if (left <= TimeSpan.Zero)
            {
                End();
            }
            else if (!_disposed)
            {
                _timer.Change(left, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void End()
    {
        _session?.Dispose();
        _session = null;
    }
}
