using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <content>What a whole event's line becomes.</content>
internal sealed unsafe partial class TextTraceInput
{
    /// <summary>Of the function tracer, <c>function &lt;-caller</c>; or something that has no name.</summary>
    private void TakeNameless()
    {
        int arrow = TextBytes.IndexOf(_open, 0, _openLength, " <-"u8);
        if (_openLength == 0 || (arrow < 0 && _isOpenUnended))
        {
            _counters.Bad(_openLine);
            return;
        }

        TextEvent added = Begin();
        if (arrow > 0)
        {
            _kinds.Texts(_kinds.Of("function"u8), ("ip", 0, arrow), ("parent_ip", arrow + 3, _openLength - arrow - 3), _open, _prefix, added);
        }
        else
        {
            _kinds.Text(_kinds.Unknown, "text", _open, _openLength, _prefix, added);
        }

        Add(added);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeEvent(TextKind kind, byte* text, int length)
    {
        TextEvent added = Begin();
        if (kind.IsMarker)
        {
            TakeMarker(kind, text, length, added);
            return;
        }

        if (length > 17 && *text == '[' && TextBytes.StartsWith(text, 0, length, "[FAILED TO PARSE]"u8))
        {
            int skip = TextBytes.SkipSpaces(text, 17, length);
            text += skip;
            length -= skip;
            _counters.NotParsed++;
        }

        if (!_kinds.TryRead(kind, text, length, _prefix, added, _isOpenUnended))
        {
            _counters.Bad(_openLine);
            _queue.Back(added);
            return;
        }

        Add(added);
    }

    /// <summary>What was written to the trace's marker: the kernel prints the writing function as the event's name, trace-cmd puts <c>print:</c> before.</summary>
    private void TakeMarker(TextKind kind, byte* text, int length, TextEvent added)
    {
        int start = 0;
        int ip = 0;
        if (kind.Name == "print")
        {
            while (ip < length && !TextBytes.IsSpace(text[ip]))
            {
                ip++;
            }

            bool hasFunction = ip > 1 && text[ip - 1] == ':';
            start = hasFunction ? TextBytes.SkipSpaces(text, ip, length) : 0;
            ip = hasFunction ? ip - 1 : 0;
            _kinds.Texts(kind, ("ip", 0, ip), ("buf", start, length - start), text, _prefix, added);
        }
        else
        {
            // The function stands where events have their names.
            _kinds.Texts(_kinds.Of("print"u8), ("ip", 0, kind.Name.Length), ("buf", (int)(text - _open), length), _open, _prefix, added);
        }

        Add(added);
    }

    private TextEvent Begin()
    {
        TextEvent added = _queue.Rent();
        long lost = _cpu.Lost;
        if (!_cpu.IsSeen && _headerLost != 0 && lost == 0)
        {
            // The kernel says how many were overwritten in all; before whose first event they lay is known where there is one CPU.
            lost = _headerCpus == 1 && _headerLost > 0 ? _headerLost : -1;
        }

        added.Begin(_prefix, _cpu, _openLine, lost);
        return added;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Add(TextEvent added)
    {
        _cpu.Lost = 0;
        _cpu.IsSeen = true;
        if (_style == TextStyle.Perf)
        {
            // perf prints the stack right behind.
            _target = added;
            _isInStack = true;
            _isUserStack = false;
        }
        else
        {
            _cpu.Open(added);
        }

        _counters.Reordered += _queue.Add(added) ? 1 : 0;
    }

    private static byte* Start(byte[] pinned) => (byte*)Unsafe.AsPointer(ref pinned[0]);

    private static void Copy(byte* from, int length, byte[] to, int at) => Buffer.MemoryCopy(from, Start(to) + at, to.Length - at, Math.Min(length, to.Length - at));
}
