using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <content>
/// Stacks. In the kernel's text a stack is an event of its own right behind the event's in the buffer of its CPU, but CPUs and interrupts come in between, so that
/// the line before may be another's: a stack belongs to the last event of the same CPU, task and context that has none. In perf's text it belongs to the line above.
/// </content>
internal sealed unsafe partial class TextTraceInput
{
    /// <summary>The event that frames go to; null: to none.</summary>
    private TextEvent? _target;

    /// <summary>Frames may follow.</summary>
    private bool _isInStack;

    /// <summary>They are of user space.</summary>
    private bool _isUserStack;

    /// <summary>An arrow came without a function: the line was wrapped there.</summary>
    private bool _isArrowBare;


    private void BeginStack(byte* text, int rest, int length)
    {
        _target = _cpu.TakeFor(_prefix.Pid, _prefix.Level);
        _isInStack = true;
        _isUserStack = false;
        _isArrowBare = false;
        if (_target is null)
        {
            _counters.StacksAlone++;
        }

        // Without its plugins trace-cmd prints the first frame on the same line, or all as bytes.
        if (TextBytes.StartsWith(text, rest, length, "=>"u8))
        {
            TakeFrame(text, rest + 2, length);
        }
        else if (TextBytes.IndexOf(text, rest, length, "caller=ARRAY["u8) is >= 0 and int array)
        {
            // The field has room for eight; the size says how many there are.
            int size = TextBytes.IndexOf(text, rest, array, "size="u8) + 5;
            TakeBytes(text, array + 13, length, size >= 5 && TextBytes.TryDecimal(text, ref size, array, out long frames) ? frames : long.MaxValue);
        }
    }

    private void BeginUserStack()
    {
        _counters.UserStacks++;
        _target = null;
        _isInStack = true;
        _isUserStack = true;
        _isArrowBare = false;
    }

    private void EndStack()
    {
        if (_target is not null)
        {
            _target.IsDone = true;
            _target = null;
        }

        _isInStack = false;
        _isUserStack = false;
    }

    /// <summary><c>=&gt; function</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeFrame(byte* line, int start, int length)
    {
        if (!_isInStack)
        {
            // The begin of the text was cut within a stack.
            _isInStack = true;
            _target = null;
            _counters.StacksAlone++;
        }

        start = TextBytes.SkipSpaces(line, start, length);
        length = TextBytes.TrimEnd(line, start, length) - start;
        _isArrowBare = length == 0;
        if (_target is null || _isUserStack || length == 0)
        {
            return;
        }

        if (_lines.IsUnended && !_symbols.IsKnown(line + start, length))
        {
            _counters.Bad(_lines.Number);
            return;
        }

        _target.AddFrame(_symbols.OfArrow(line + start, length));
    }

    /// <summary>The end of a frame's line that was wrapped: the function behind a bare arrow, or the address behind the function.</summary>
    private bool TryFrameEnd(byte* line, int start, int end)
    {
        if (_isArrowBare)
        {
            TakeFrame(line, start, end);
            return true;
        }

        if (_target is null)
        {
            return _isUserStack is false && line[start] == '(' && line[end - 1] == ')';
        }

        if (line[start] is not ((byte)'(' or (byte)'[' or (byte)'<') || line[end - 1] is not ((byte)')' or (byte)']' or (byte)'>') || _target.Frames == 0)
        {
            return false;
        }

        // Only mails have this, so it may allocate.
        string name = _symbols.NameOf(_target.LastFrame);
        byte[] whole = [.. System.Text.Encoding.UTF8.GetBytes(name), (byte)' ', .. new ReadOnlySpan<byte>(line + start, end - start)];
        fixed (byte* text = whole)
        {
            _target.ReplaceFrame(_symbols.OfArrow(text, whole.Length));
        }

        return true;
    }

    /// <summary>A frame of perf: an address, a function, where it is.</summary>
    private bool TryPerfFrame(byte* line, int start, int length)
    {
        length = TextBytes.TrimEnd(line, start, length);
        int at = start;

        // An address takes 16 columns behind a tab; what is behind it depends on the options.
        if (start == 0 || !TextBytes.TryHex(line, ref at, length, out _) || (at < length && !TextBytes.IsSpace(line[at])) || (line[length - 1] != ')' && at is not (17 or 24)))
        {
            return false;
        }

        CloseOpen();
        DropFragment();
        if (_target is null || _isUserStack)
        {
            return true;
        }

        ulong address = _symbols.OfPerf(line + start, length - start);
        if (address == TextSymbols.User)
        {
            _isUserStack = true;
        }
        else
        {
            _target.AddFrame(address);
        }

        return true;
    }

    /// <summary>Addresses as bytes, lowest first, as trace-cmd's raw report has them.</summary>
    private void TakeBytes(byte* text, int at, int end, long frames)
    {
        ulong address = 0;
        int shift = 0;
        while (at < end && frames > 0 && TextBytes.TryHex(text, ref at, end, out ulong value))
        {
            address |= (value & 0xff) << shift;
            shift += 8;
            if (shift == 64)
            {
                _target?.AddFrame(address);
                frames--;
                address = 0;
                shift = 0;
            }

            at += at < end && text[at] == ',' ? 1 : 0;
            at = TextBytes.SkipSpaces(text, at, end);
        }
    }
}
