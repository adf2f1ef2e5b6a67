using System.Runtime.CompilerServices;

namespace Quire.Traces;

internal sealed unsafe partial class TextTraceInput
{
    /// <summary>Lines shorter than this were not wrapped by a mail program, so what follows is not their end.</summary>
    private const int WrapColumns = 60;

    /// <summary>An event's line, which may go on in the next one: bytes in the file, or, joined from several, in <see cref="_joined"/>.</summary>
    private readonly byte[] _joined = GC.AllocateUninitializedArray<byte>(TextLineReader.MaximumLine * 2, pinned: true);

    /// <summary>A line that is nothing by itself: the begin of an event's line, wrapped before the event's name, or no part of the trace.</summary>
    private readonly byte[] _fragment = GC.AllocateUninitializedArray<byte>(TextLineReader.MaximumLine * 2, pinned: true);

    private TextStyle _style;
    private int _digits;
    private int _reportSigns;
    private string? _uname;
    private string? _tracer;
    private bool _isOpen;
    private TextPrefix _prefix;
    private TextCpu _cpu = null!;
    private byte* _open;
    private int _openLength;
    private int _openColumns;
    private int _openQuotes;
    private long _openLine;
    private bool _isOpenUnended;
    private int _fragmentLength;
    private int _fragmentParts;
    private long _fragmentLine;
    private long _headerLost;
    private int _headerCpus;

    private void RewindLines()
    {
        _isOpen = false;
        _fragmentLength = 0;
        _fragmentParts = 0;
        _target = null;
        _isInStack = false;
        _isUserStack = false;
        _headerLost = 0;
        _headerCpus = 0;
    }

    /// <summary>Reads one line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Step()
    {
        if (!_lines.TryMove())
        {
            CloseOpen();
            DropFragment();
            EndStack();
            foreach (TextCpu cpu in _cpus.Seen)
            {
                cpu.CloseAll();
            }

            _isAtEnd = true;
            return;
        }

        if (!TryTake() && _lines.SoftenSpaces() && TryTake())
        {
            return;
        }
    }

    /// <summary>Takes the line for what it is; false where it may be something else once spaces that don't break are spaces.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryTake()
    {
        byte* line = _lines.Line;
        int length = _lines.Length;
        int start = TextBytes.SkipSpaces(line, 0, length);
        if (start == length)
        {
            CloseOpen();
            DropFragment();
            if (_style == TextStyle.Perf)
            {
                // Elsewhere a line without anything may be of a mail; and of "<stack trace >" the last character may look like a quote mark.
                EndStack();
            }

            return true;
        }

        if (line[start] == '=' && start + 1 < length && line[start + 1] == '>')
        {
            CloseOpen();
            DropFragment();
            TakeFrame(line, start + 2, length);
            return true;
        }

        if (line[start] == '#')
        {
            CloseOpen();
            DropFragment();
            TakeComment(line, start, length);
            return true;
        }

        if (!_lines.IsTooLong && TextPrefix.TryParse(line, length, _style, out TextPrefix prefix))
        {
            CloseOpen();
            DropFragment();
            OpenEvent(prefix, line, length, _lines.IsScratch, _lines.Number);
            return true;
        }

        if (TryLoss(line, start, length) || (_style == TextStyle.Perf && TryPerfFrame(line, start, length)) || IsCpus(line, start, length))
        {
            return true;
        }

        if (new ReadOnlySpan<byte>(line, length).IndexOf("\u00a0"u8) >= 0)
        {
            return false;
        }

        TakeOther(line, start, length);
        return true;
    }

    /// <summary>An event's line begins. It is read when it is known to be whole.</summary>
    private void OpenEvent(in TextPrefix prefix, byte* line, int length, bool isCopied, long number)
    {
        EndStack();
        _isOpen = true;
        _prefix = prefix;
        _style = prefix.Style;
        _digits = prefix.TimeDigits;
        _openLine = number;
        _openColumns = _lines.Columns;
        _openQuotes = _lines.Quotes;
        _isOpenUnended = _lines.IsUnended;
        _comms.See(prefix.Pid, line + prefix.CommStart, prefix.CommLength);
        _cpu = prefix.InstanceLength == 0 ? _cpus.Of(prefix.Cpu) : _cpus.Of(_texts.Of(new ReadOnlySpan<byte>(line, prefix.InstanceLength)), prefix.Cpu);
        _open = line + prefix.Rest;
        _openLength = TextBytes.TrimEnd(line, prefix.Rest, length) - prefix.Rest;
        if (isCopied)
        {
            Copy(_open, _openLength, _joined, 0);
            _open = Start(_joined);
        }
    }

    /// <summary>A line that is nothing by itself: the rest of the line before, or the begin of the next, or something around the trace.</summary>
    private void TakeOther(byte* line, int start, int length)
    {
        length = TextBytes.TrimEnd(line, start, length);
        if (_isOpen && !_lines.IsTooLong && IsContinuation(line, start, length))
        {
            if (_open != Start(_joined))
            {
                Copy(_open, _openLength, _joined, 0);
                _open = Start(_joined);
            }

            if (_openLength + 1 + length - start <= _joined.Length)
            {
                if (_openLength > 0)
                {
                    _joined[_openLength++] = (byte)' ';
                }

                Copy(line + start, length - start, _joined, _openLength);
                _openLength += length - start;
            }

            _openColumns = _lines.Columns;
            _isOpenUnended = _lines.IsUnended;
            return;
        }

        CloseOpen();
        if (_isInStack && TryFrameEnd(line, start, length))
        {
            return;
        }

        EndStack();
        if (_lines.IsTooLong)
        {
            DropFragment();
            _counters.Bad(_lines.Number);
            return;
        }

        if (_fragmentLength > 0 && _fragmentParts < 4 && _fragmentLength + 1 + length - start <= _fragment.Length)
        {
            // Wrapped within the prefix: the two together may be a line.
            int whole = _fragmentLength + 1 + length - start;
            byte* joined = Start(_fragment);
            joined[_fragmentLength] = (byte)' ';
            Copy(line + start, length - start, _fragment, _fragmentLength + 1);
            if (TextPrefix.TryParse(joined, whole, _style, out TextPrefix prefix))
            {
                long number = _fragmentLine;
                _fragmentLength = 0;
                OpenEvent(prefix, joined, whole, isCopied: true, number);
                return;
            }

            if (IsTask(joined, _fragmentLength))
            {
                _fragmentLength = whole;
                _fragmentParts++;
                return;
            }
        }

        DropFragment();
        if (_lines.Length > 0)
        {
            // The spaces before stay: they say how wide the task's name is.
            Copy(line, length, _fragment, 0);
            _fragmentLength = length;
            _fragmentParts = 1;
            _fragmentLine = _lines.Number;
        }
    }

    /// <summary>What could not be put to anything: part of the trace, or of what is around it.</summary>
    private void DropFragment()
    {
        if (_fragmentLength == 0)
        {
            return;
        }

        if (IsOfTrace(Start(_fragment), _fragmentLength))
        {
            _counters.Bad(_fragmentLine);
        }
        else
        {
            _counters.OtherLines += _fragmentParts;
        }

        _fragmentLength = 0;
    }

    /// <summary>Whether this line goes on with the event's line before it.</summary>
    private bool IsContinuation(byte* line, int start, int end)
    {
        if (_lines.Quotes > _openQuotes)
        {
            return false;
        }

        // Wrapped behind the time or behind the event's name.
        int space = new ReadOnlySpan<byte>(_open, _openLength).IndexOf((byte)' ');
        if (_openLength == 0 || (space < 0 && _open[_openLength - 1] == ':'))
        {
            return true;
        }

        int key = start;
        while (key < end && TextBytes.IsName(line[key]))
        {
            key++;
        }

        bool hasWords = new ReadOnlySpan<byte>(_open, _openLength).IndexOf((byte)'=') >= 0;
        if (hasWords && ((key > start && key < end && line[key] == '=') || _open[_openLength - 1] is (byte)'=' or (byte)'|'))
        {
            return true;
        }

        if (_openColumns < WrapColumns || IsTask(line + start, end - start))
        {
            return false;
        }

        // Within a value that has spaces; or in a text, where only the width tells.
        return !hasWords || TextBytes.IndexOf(line, start, end, "="u8) > 0;
    }

    /// <summary>The event's line is whole: an event, or a stack's begin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CloseOpen()
    {
        if (!_isOpen)
        {
            return;
        }

        _isOpen = false;
        int name = 0;
        while (name < _openLength && !TextBytes.IsSpace(_open[name]))
        {
            name++;
        }

        int rest = TextBytes.SkipSpaces(_open, name, _openLength);
        if (name > 1 && _open[name - 1] == ':' && _kinds.Of(_open, name - 1) is { } kind)
        {
            int length = name - 1;
            if (length == 12 && TextBytes.StartsWith(_open, 0, length, "kernel_stack"u8))
            {
                _reportSigns++;
                BeginStack(_open, rest, _openLength);
                return;
            }

            if (length == 10 && TextBytes.StartsWith(_open, 0, length, "user_stack"u8))
            {
                BeginUserStack();
                return;
            }

            _reportSigns += _style != TextStyle.Perf && rest > name + 1 && length < 20 ? 1 : 0;
            TakeEvent(kind, _open + rest, _openLength - rest);
            return;
        }

        if (TextBytes.StartsWith(_open, 0, _openLength, "<stack trace"u8))
        {
            BeginStack(_open, 0, _openLength);
        }
        else if (TextBytes.StartsWith(_open, 0, _openLength, "UNKNOWN TYPE 4"u8) && _openLength == 14)
        {
            // The option "fields" has no form for a stack.
            _counters.StacksNotPrinted++;
        }
        else if (TextBytes.StartsWith(_open, 0, _openLength, "<user stack trace"u8))
        {
            BeginUserStack();
        }
        else if (_style == TextStyle.Perf && TextBytes.StartsWith(_open, 0, _openLength, "PERF_RECORD_LOST"u8))
        {
            int at = TextBytes.IndexOf(_open, 0, _openLength, " lost "u8) + 6;
            Lose(_cpu, at >= 6 && TextBytes.TryDecimal(_open, ref at, _openLength, out long lost) ? lost : -1);
        }
        else if (_style == TextStyle.Perf && TextBytes.StartsWith(_open, 0, _openLength, "PERF_RECORD_"u8))
        {
            // Names, maps and the like.
        }
        else
        {
            TakeNameless();
        }
    }
}
