namespace Quire.Traces;

/// <summary>Makes one CPU's ring buffer pages, as the kernel would have: whole events, times as differences, losses told on the page behind them.</summary>
/// <remarks>Without an output it measures only: the same events make the same pages.</remarks>
internal sealed class DatPageWriter
{
    internal const int PageBytes = 4096;

    private const int LongestShort = 28 * 4;
    private const ulong DeltaLimit = 1 << 27;

    private readonly byte[] _page = new byte[PageBytes];
    private readonly DatPageLayout _layout;
    private readonly bool _isBigEndian;
    private Stream? _output;
    private long _offset;
    private int _at;
    private long _lost;
    private bool _isOpen;
    private ulong _time;

    internal DatPageWriter(DatPageLayout layout, bool isBigEndian)
    {
        _layout = layout;
        _isBigEndian = isBigEndian;
    }

    /// <summary>The longest event there is room for in one page, a time extension and the number of events lost beside it.</summary>
    internal static int MaximumEvent(DatPageLayout layout) => (PageBytes - layout.Data - layout.LongBytes - 16) & ~3;

    internal long Pages { get; private set; }

    internal long Events { get; private set; }

    internal long Bytes { get; private set; }

    internal long FirstTime { get; private set; }

    internal long LastTime => (long)_time;

    /// <summary>Events whose time lay before that of the one before, and was moved on to it: pages can't go back.</summary>
    internal long TimesMoved { get; private set; }

    /// <summary>Begins again, now with pages going to <paramref name="offset"/> of the output and behind.</summary>
    internal void WriteTo(Stream output, long offset)
    {
        _output = output;
        _offset = offset;
        _isOpen = false;
        _time = 0;
        Pages = Events = Bytes = FirstTime = TimesMoved = 0;
    }

    /// <summary>Adds an event.</summary>
    /// <param name="time">ns.</param>
    /// <param name="payload">Its bytes, at most <see cref="MaximumEvent"/>.</param>
    /// <param name="lost">Events lost before it; -1 where unknown.</param>
    /// <param name="together">Bytes of an event to follow that should come on the same page: its stack.</param>
    internal void Add(long time, ReadOnlySpan<byte> payload, long lost, int together)
    {
        ulong now = (ulong)time;
        if (now < _time)
        {
            TimesMoved++;
            now = _time;
        }

        int room = Space(payload.Length) + (together > 0 ? Space(together) : 0);
        if (lost != 0 || !_isOpen || _at + room + 8 > PageBytes - (_lost != 0 ? _layout.LongBytes : 0))
        {
            Flush();
            Open(now, lost);
        }

        ulong delta = now - _time;
        if (delta >= DeltaLimit)
        {
            Word(Header(30, (uint)(delta & (DeltaLimit - 1))));
            Word((uint)(delta >> 27));
            delta = 0;
        }

        int length = (payload.Length + 3) & ~3;
        if (length <= LongestShort)
        {
            Word(Header((uint)length / 4, (uint)delta));
        }
        else
        {
            Word(Header(0, (uint)delta));
            Word((uint)length + 4);
        }

        payload.CopyTo(_page.AsSpan(_at));
        _page.AsSpan(_at + payload.Length, length - payload.Length).Clear();
        _at += length;
        _time = now;
        FirstTime = Events == 0 ? time : FirstTime;
        Events++;
        Bytes += length + 4;
    }

    /// <summary>Ends the last page.</summary>
    internal void Flush()
    {
        if (!_isOpen)
        {
            return;
        }

        ulong commit = (ulong)(_at - _layout.Data);
        if (_lost != 0)
        {
            commit |= DatPageLayout.Missed;
            if (_lost > 0)
            {
                commit |= DatPageLayout.MissedStored;
                DatBytes.Put(_page.AsSpan(_at, _layout.LongBytes), (ulong)_lost, _isBigEndian);
                _at += _layout.LongBytes;
            }
        }

        DatBytes.Put(_page.AsSpan(_layout.Commit, _layout.LongBytes), commit, _isBigEndian);
        if (_output is not null)
        {
            _page.AsSpan(_at).Clear();
            _output.Position = _offset + (Pages * PageBytes);
            _output.Write(_page);
        }

        Pages++;
        _isOpen = false;
    }

    private void Open(ulong time, long lost)
    {
        _page.AsSpan(0, _layout.Data).Clear();
        DatBytes.Put(_page.AsSpan(_layout.Timestamp, 8), time, _isBigEndian);
        _at = _layout.Data;
        _time = time;
        _lost = lost;
        _isOpen = true;
    }

    private void Word(uint value)
    {
        DatBytes.Put(_page.AsSpan(_at, 4), value, _isBigEndian);
        _at += 4;
    }

    private uint Header(uint type, uint delta) => _isBigEndian ? (type << 27) | delta : type | (delta << 5);

    private static int Space(int payload) => ((payload + 3) & ~3) + (payload > LongestShort ? 8 : 4);
}
