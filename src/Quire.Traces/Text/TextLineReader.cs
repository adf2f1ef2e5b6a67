using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>The lines of a file, freed of what mails and logs put around them: quote marks, the log's own time, ends of lines of other systems.</summary>
/// <remarks>Lines are where the file has them, or, where bytes had to be changed, in a buffer that the next line overwrites.</remarks>
internal sealed unsafe class TextLineReader
{
    /// <summary>A longer line is no line of a trace; its rest is passed over.</summary>
    internal const int MaximumLine = 1 << 16;

    /// <summary>A mail that is encoded shows it within so many bytes.</summary>
    private const int EncodingBytes = 1 << 18;

    /// <summary>What was read is given up in parts of this size.</summary>
    private const long ForgottenBytes = 4 << 20;

    private readonly FileMap _map;
    private readonly byte* _file;
    private readonly long _length;
    private readonly byte[] _scratch = GC.AllocateUninitializedArray<byte>(MaximumLine, pinned: true);
    private readonly bool _isEncoded;
    private long _at;
    private long _forgotten;

    internal TextLineReader(FileMap map)
    {
        _map = map;
        _length = map.Length;
        _file = map.At(0, _length);
        _isEncoded = IsEncoded(new ReadOnlySpan<byte>(_file, (int)Math.Min(_length, EncodingBytes)));
        Rewind();
    }

    /// <summary>The line's first byte, behind quote marks.</summary>
    internal byte* Line { get; private set; }

    internal int Length { get; private set; }

    /// <summary>Counted from 1.</summary>
    internal long Number { get; private set; }

    /// <summary>Bytes the line takes in the file, quote marks too: near the width at which a mail was wrapped, what follows may belong to it.</summary>
    internal int Columns { get; private set; }

    /// <summary>How many quote marks stood before it.</summary>
    internal int Quotes { get; private set; }

    /// <summary>The file ends without an end of line: this one may be cut.</summary>
    internal bool IsUnended { get; private set; }

    internal bool IsTooLong { get; private set; }

    /// <summary>The line stands in a buffer, not in the file.</summary>
    internal bool IsScratch { get; private set; }

    /// <summary>Whether lines come with spaces that don't break: set when the first such is seen.</summary>
    internal bool HasHardSpaces { get; private set; }

    internal void Rewind()
    {
        // A mark of byte order is no part of the first line.
        _at = _length >= 3 && _file[0] == 0xef && _file[1] == 0xbb && _file[2] == 0xbf ? 3 : 0;
        _forgotten = 0;
        Number = 0;
    }

    private byte* Start => (byte*)Unsafe.AsPointer(ref _scratch[0]);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal bool TryMove()
    {
        if (_at >= _length)
        {
            return false;
        }

        if (_at - _forgotten >= ForgottenBytes)
        {
            _map.Forget(_forgotten, _at - _forgotten);
            _forgotten = _at;
        }

        RawLine(out byte* start, out int end);
        Number++;
        Columns = end;
        Quotes = 0;
        IsScratch = false;
        while (end > 0 && start[end - 1] == '\r')
        {
            end--;
        }

        if (_isEncoded)
        {
            end = Decode(start, end);
            start = Start;
        }

        if (end > 1 && (*start is (byte)'>' or (byte)'[' or (byte)'<' || (start[1] == '>' && *start == ' ')))
        {
            int skip = Surroundings(start, end);
            start += skip;
            end -= skip;
        }

        Line = start;
        Length = end;
        if (HasHardSpaces)
        {
            SoftenSpaces();
        }

        return true;
    }

    /// <summary>Makes spaces of those that don't break (U+00A0); false where there are none.</summary>
    internal bool SoftenSpaces()
    {
        ReadOnlySpan<byte> line = new(Line, Length);
        if (line.IndexOf("\u00a0"u8) < 0)
        {
            return false;
        }

        HasHardSpaces = true;
        int length = 0;
        for (int at = 0; at < line.Length; at++)
        {
            bool isHard = line[at] == 0xc2 && at + 1 < line.Length && line[at + 1] == 0xa0;
            _scratch[length++] = isHard ? (byte)' ' : line[at];
            at += isHard ? 1 : 0;
        }

        IsScratch = true;
        int skip = Surroundings(Start, length);
        Line = Start + skip;
        Length = length - skip;
        return true;
    }

    /// <summary>The next bytes up to an end of line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void RawLine(out byte* start, out int end)
    {
        start = _file + _at;
        int window = (int)Math.Min(_length - _at, MaximumLine);
        end = new ReadOnlySpan<byte>(start, window).IndexOf((byte)'\n');
        IsTooLong = false;
        IsUnended = false;
        if (end >= 0)
        {
            _at += end + 1;
            return;
        }

        end = window;
        if (_length - _at > window)
        {
            IsTooLong = true;
            SkipLine(window);
        }
        else
        {
            IsUnended = true;
            _at = _length;
        }
    }

    /// <summary>Whether this is of a mail in quoted-printable: most equals signs in it are such codes (<c>=3D</c>), or break a line.</summary>
    private static bool IsEncoded(ReadOnlySpan<byte> start)
    {
        if (start.IndexOf("=3D"u8) < 0)
        {
            return false;
        }

        // Kernels print hexadecimal in lower case, so a code with a capital is none of their values.
        int all = 0;
        int codes = 0;
        for (int at = start.IndexOf((byte)'='); at >= 0 && at + 2 < start.Length; all++)
        {
            byte high = start[at + 1];
            byte low = start[at + 2];
            bool isCode = IsCodeDigit(high) && IsCodeDigit(low) && (high >= 'A' || low >= 'A');
            codes += isCode || high is (byte)'\n' or (byte)'\r' ? 1 : 0;
            int next = start[(at + 1)..].IndexOf((byte)'=');
            at = next < 0 ? -1 : at + 1 + next;
        }

        return codes > all / 2;
    }

    private static bool IsCodeDigit(byte c) => TextBytes.IsDigit(c) || c is >= (byte)'A' and <= (byte)'F';

    /// <summary>Undoes quoted-printable: <c>=3D</c> is one byte, and at an equals sign in the last column the line goes on in the next.</summary>
    private int Decode(byte* line, int end)
    {
        int length = 0;
        while (true)
        {
            bool goesOn = false;
            for (int at = 0; at < end && length < MaximumLine; at++)
            {
                int high = line[at] == '=' && at + 2 < end ? TextBytes.HexDigit(line[at + 1]) : -1;
                int low = high < 0 ? -1 : TextBytes.HexDigit(line[at + 2]);
                goesOn = line[at] == '=' && at + 1 == end;
                if (low >= 0)
                {
                    _scratch[length++] = (byte)((high << 4) | low);
                    at += 2;
                }
                else if (!goesOn)
                {
                    _scratch[length++] = line[at];
                }
            }

            if (!goesOn || _at >= _length || length >= MaximumLine)
            {
                IsScratch = true;
                return length;
            }

            RawLine(out line, out end);
            Number++;
            while (end > 0 && line[end - 1] == '\r')
            {
                end--;
            }
        }
    }

    /// <summary>How many bytes of quote marks, and of a log's level and time, stand before the line.</summary>
    private int Surroundings(byte* line, int end)
    {
        int at = 0;
        while (at < end && (line[at] == '>' || (line[at] == ' ' && at + 1 < end && line[at + 1] == '>')))
        {
            at += line[at] == ' ' ? 2 : 1;
            Quotes++;
        }

        // What a mail program put between mark and text; spaces of the line itself don't matter.
        at += Quotes > 0 && at < end && line[at] == ' ' ? 1 : 0;
        if (at + 2 < end && line[at] == '<' && TextBytes.IsDigit(line[at + 1]) && line[at + 2] is (byte)'>')
        {
            at += 3;
        }

        // "[   12.345678] ", and behind it, with the option, who wrote it: "[  T123] ".
        int bracket = at;
        if (bracket < end && line[bracket] == '[')
        {
            int inside = TextBytes.SkipSpaces(line, bracket + 1, end);
            if (TextBytes.TryDecimal(line, ref inside, end, out _) && inside < end && line[inside] == '.')
            {
                inside++;
                if (TextBytes.TryDecimal(line, ref inside, end, out _) && inside < end && line[inside] == ']')
                {
                    at = inside + 1;
                    inside = TextBytes.SkipSpaces(line, at + 1, end);
                    if (at < end && line[at] == '[' && inside < end && line[inside] is (byte)'T' or (byte)'C')
                    {
                        int close = TextBytes.IndexOf(line, inside, Math.Min(end, inside + 12), "]"u8);
                        at = close < 0 ? at : close + 1;
                    }

                    at += at < end && line[at] == ' ' ? 1 : 0;
                }
            }
        }

        return at;
    }

    private void SkipLine(int from)
    {
        for (long at = _at + from; at < _length;)
        {
            int window = (int)Math.Min(_length - at, 1 << 20);
            int end = new ReadOnlySpan<byte>(_file + at, window).IndexOf((byte)'\n');
            if (end >= 0)
            {
                _at = at + end + 1;
                return;
            }

            at += window;
        }

        _at = _length;
    }
}
