using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>An event that was read and waits for its stack, or for its turn. Used again for a later one.</summary>
internal sealed unsafe class TextEvent
{
    /// <summary>Arrays that grew beyond are not kept.</summary>
    private const int KeptBytes = 4096;
    private const int KeptFrames = 512;

    /// <summary>No kernel records more.</summary>
    private const int MaximumFrames = 1024;

    private byte[] _payload = new byte[256];
    private ulong[] _stack = [];

    internal TraceEventFormat Format { get; private set; } = null!;

    internal TextCpu Cpu { get; private set; } = null!;

    internal long Time { get; private set; }

    internal int Pid { get; private set; }

    internal byte Level { get; private set; }

    internal long LostBefore { get; private set; }

    /// <summary>The line it stood on.</summary>
    internal long Line { get; private set; }

    internal int Length { get; private set; }

    internal int Frames { get; private set; }

    /// <summary>Nothing can be added any more.</summary>
    internal bool IsDone { get; set; }

    internal ReadOnlySpan<byte> Payload => _payload.AsSpan(0, Length);

    internal ReadOnlySpan<ulong> Stack => _stack.AsSpan(0, Frames);

    /// <summary>Memory it holds on to.</summary>
    internal int Bytes => _payload.Length + (_stack.Length * 8);

    /// <summary>What of it the queue has counted.</summary>
    internal int Counted { get; set; }

    internal void Begin(in TextPrefix prefix, TextCpu cpu, long line, long lostBefore)
    {
        Cpu = cpu;
        Time = prefix.Time;
        Pid = prefix.Pid;
        Level = prefix.Level;
        LostBefore = lostBefore;
        Line = line;
        Frames = 0;
        IsDone = false;
        if (_payload.Length > KeptBytes)
        {
            _payload = new byte[256];
        }

        if (_stack.Length > KeptFrames)
        {
            _stack = [];
        }
    }

    /// <summary>The event's bytes with room for what its shape has, all 0 but the head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Shape(TextShape shape, in TextPrefix prefix)
    {
        Format = shape.Format;
        Length = shape.Size;
        Reserve(Length);
        ref byte start = ref _payload[0];
        Unsafe.WriteUnaligned(ref start, (ushort)shape.Format.Id);
        Unsafe.Add(ref start, 2) = TextFlags.Of(prefix.Flags);
        Unsafe.Add(ref start, 3) = TextFlags.PreemptCount(prefix.Flags);
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref start, 4), prefix.Pid);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Put(int offset, ulong value) => Unsafe.WriteUnaligned(ref _payload[offset], value);

    /// <summary>Adds a text behind all that is there; false where it had to be cut, because a place has 16 bits.</summary>
    internal bool PutText(int offset, byte* text, int length)
    {
        int fits = Math.Min(length, ushort.MaxValue - 1 - Length);
        if (fits < 0)
        {
            fits = 0;
        }

        Reserve(Length + fits + 1);
        Put(offset, (uint)Length | ((ulong)(uint)(fits + 1) << 16));
        new ReadOnlySpan<byte>(text, fits).CopyTo(_payload.AsSpan(Length));
        Length += fits;
        _payload[Length++] = 0;
        return fits == length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void AddFrame(ulong address)
    {
        if (Frames == _stack.Length)
        {
            if (Frames >= MaximumFrames)
            {
                return;
            }

            Array.Resize(ref _stack, Math.Max(32, Frames * 2));
        }

        _stack[Frames++] = address;
    }

    internal void ReplaceFrame(ulong address)
    {
        if (Frames > 0)
        {
            _stack[Frames - 1] = address;
        }
    }

    internal ulong LastFrame => Frames > 0 ? _stack[Frames - 1] : 0;

    private void Reserve(int length)
    {
        if (length > _payload.Length)
        {
            Array.Resize(ref _payload, Math.Max(length, Math.Min(_payload.Length * 2, 1 << 17)));
        }
    }
}

/// <summary>The characters of the latency field, made the bits that they were printed from.</summary>
internal static class TextFlags
{
    internal static byte Of(ulong flags)
    {
        int bits = (byte)flags switch { (byte)'d' => 0x01, (byte)'D' => 0x81, (byte)'b' => 0x80, (byte)'X' => 0x02, _ => 0 };
        bits |= (byte)(flags >> 8) switch { (byte)'N' => 0x24, (byte)'n' => 0x04, (byte)'p' => 0x20, _ => 0 };
        bits |= (byte)(flags >> 16) switch { (byte)'h' => 0x08, (byte)'s' => 0x10, (byte)'H' => 0x18, (byte)'Z' => 0x48, (byte)'z' => 0x40, _ => 0 };
        return (byte)bits;
    }

    internal static byte PreemptCount(ulong flags) =>
        (byte)(Math.Max(0, TextBytes.HexDigit((byte)(flags >> 24))) | (Math.Max(0, TextBytes.HexDigit((byte)(flags >> 32))) << 4));
}
