using System.Buffers.Binary;
using System.Text;

namespace Quire.Traces;

/// <summary>One event. Its bytes are the input's own: valid until the next record is read, or the input rewound or disposed.</summary>
/// <remarks>A field that does not fit into the event's bytes reads as 0 or an empty text and is counted (<see cref="TraceCounter.FieldOutside"/>).</remarks>
public readonly ref struct TraceRecord
{
    private readonly TraceInput _input;

    internal TraceRecord(TraceInput input, TraceEventFormat format, long time, int cpu, int pid, ReadOnlySpan<byte> payload, ReadOnlySpan<ulong> stack,
        long lostBefore, TraceSnapshot snapshot, int stream)
    {
        Stream = stream;
        _input = input;
        Format = format;
        Time = time;
        Cpu = cpu;
        Pid = pid;
        Payload = payload;
        Stack = stack;
        LostBefore = lostBefore;
        Snapshot = snapshot;
    }

    /// <summary>When, in ns of the trace's clock (<see cref="TraceSource.Clock"/>).</summary>
    public long Time { get; }

    /// <summary>The CPU, or in a recording of Quire the ring, it was written to; -1 for records of a snapshot.</summary>
    public int Cpu { get; }

    /// <summary>The system's number of the thread it happened on; of a snapshot's records, the thread that took the snapshot.</summary>
    public int Pid { get; }

    /// <summary>What kind of event it is.</summary>
    public TraceEventFormat Format { get; }

    /// <summary>The event's bytes, from the common fields on, in the traced machine's byte order.</summary>
    public ReadOnlySpan<byte> Payload { get; }

    /// <summary>The addresses of its stack, innermost first; empty where none was recorded. <see cref="TraceInput.SymbolOf"/> names each.</summary>
    public ReadOnlySpan<ulong> Stack { get; }

    /// <summary>Events lost on this CPU between its last record and this one; 0: none known, -1: some, nobody knows how many.</summary>
    public long LostBefore { get; }

    /// <summary>Whether it is part of a snapshot, and of which.</summary>
    public TraceSnapshot Snapshot { get; }

    /// <summary>Its place in <see cref="TraceSource.Cpus"/>; -1 for records of a snapshot.</summary>
    internal int Stream { get; }

    /// <summary>A field's value, sign-extended where the field is signed.</summary>
    /// <param name="field">A field of <see cref="Format"/>, of 1, 2, 4 or 8 bytes.</param>
    public long Signed(TraceField field)
    {
        ArgumentNullException.ThrowIfNull(field);
        ulong value = Unsigned(field);
        return !field.IsSigned ? (long)value : field.Size switch
        {
            1 => (sbyte)value,
            2 => (short)value,
            4 => (int)value,
            _ => (long)value,
        };
    }

    /// <summary>A field's value, its bits as they are.</summary>
    /// <param name="field">A field of <see cref="Format"/>, of 1, 2, 4 or 8 bytes.</param>
    public ulong Unsigned(TraceField field)
    {
        ArgumentNullException.ThrowIfNull(field);
        ReadOnlySpan<byte> payload = Payload;
        if ((uint)field.Offset + (uint)field.Size > (uint)payload.Length)
        {
            return _input.FieldOutside();
        }

        ReadOnlySpan<byte> bytes = payload.Slice(field.Offset, field.Size);
        return _input.IsBigEndian
            ? bytes.Length switch
            {
                1 => bytes[0],
                2 => BinaryPrimitives.ReadUInt16BigEndian(bytes),
                4 => BinaryPrimitives.ReadUInt32BigEndian(bytes),
                8 => BinaryPrimitives.ReadUInt64BigEndian(bytes),
                _ => _input.FieldOutside(),
            }
            : bytes.Length switch
            {
                1 => bytes[0],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
                4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
                8 => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
                _ => _input.FieldOutside(),
            };
    }

    /// <summary>A field's text: of a dictionary's number or a dynamic or fixed array of characters, the text (up to its NUL); of a number, its digits.</summary>
    /// <remarks>Texts that recur come back as the same string: nothing is allocated for them.</remarks>
    /// <param name="field">A field of <see cref="Format"/>.</param>
    public string Text(TraceField field)
    {
        ArgumentNullException.ThrowIfNull(field);
        return field.IsDataLoc || field.IsArray ? _input.TextOf(this, field)
            : field.IsSigned ? Signed(field).ToString() : Unsigned(field).ToString();
    }

    /// <summary>Reads a field by name: -1, 0 … where there is none, <paramref name="otherwise"/>.</summary>
    /// <param name="name">A field's name.</param>
    /// <param name="otherwise">The answer where the event has no such field.</param>
    public long Number(string name, long otherwise = 0) => Format.Find(name) is { } field ? Signed(field) : otherwise;

    /// <summary>The bytes of an array, fixed or dynamic; empty where they lie outside the event.</summary>
    internal ReadOnlySpan<byte> Bytes(TraceField field)
    {
        ReadOnlySpan<byte> payload = Payload;
        long offset = field.Offset;
        long size = field.Size;
        if (field.IsDataLoc)
        {
            uint place = (uint)Unsigned(field);
            offset = (place & 0xffff) + (field.IsRelLoc ? field.Offset + field.Size : 0);
            size = place >> 16;
        }

        if (offset + size > payload.Length)
        {
            _input.FieldOutside();
            return default;
        }

        return payload.Slice((int)offset, (int)size);
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        StringBuilder text = new();
        text.Append($"{Time} cpu {Cpu} pid {Pid} {Format?.Name}:");
        foreach (TraceField field in Format?.Fields ?? [])
        {
            text.Append($" {field.Name}={Text(field)}");
        }

        return text.ToString();
    }
}
