using System.Text;

namespace Quire.Traces;

/// <summary>Brings records into the form they have in a trace.dat: dictionary numbers become texts in the event, stacks events of their own.</summary>
internal sealed class DatEventWriter
{
    /// <summary>The number of the kernel's stack event; what stands in its place where an input has none of its own.</summary>
    internal const ushort StackId = 4;

    /// <summary>Where Quire's frames get their addresses: in what x86-64 calls kernel text, above which no real symbol of the trace can be.</summary>
    private const ulong FirstAddress = 0xffff_ffff_8100_0000;

    private readonly TraceInput _input;
    private readonly byte[] _event = new byte[DatPageWriter.PageBytes];
    private readonly byte[] _stack = new byte[DatPageWriter.PageBytes];
    private readonly Dictionary<ulong, ulong> _addresses = [];
    private readonly int _maximum;
    private readonly int _word;
    private readonly int _firstFrame;
    private readonly ushort _stackId;

    internal DatEventWriter(TraceInput input)
    {
        _input = input;
        _word = input.Layout.LongBytes;
        _maximum = DatPageWriter.MaximumEvent(input.Layout);
        TraceEventFormat? stack = input.Formats.FirstOrDefault(static format => format.System == "ftrace" && format.Name == "kernel_stack");
        _stackId = (ushort)(stack?.Id ?? StackId);
        _firstFrame = stack?.Find("caller") is { Offset: >= 12 and <= 64 } callers ? callers.Offset : 16;
        NeedsStackFormat = stack is null;
    }

    /// <summary>Whether the input has no format text of its own for stacks.</summary>
    internal bool NeedsStackFormat { get; }

    /// <summary>Texts, arrays and stacks that were cut because an event must fit into a page.</summary>
    internal long Cut { get; private set; }

    internal long Stacks { get; private set; }

    /// <summary>The address in the file of each address of the input.</summary>
    internal IReadOnlyDictionary<ulong, ulong> Addresses => _addresses;

    internal string StackFormat { get; } = $"""
        name: kernel_stack
        ID: {StackId}
        format:
        	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
        	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
        	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
        	field:int common_pid;	offset:4;	size:4;	signed:1;

        	field:int size;	offset:8;	size:4;	signed:1;
        	field:unsigned long caller[];	offset:16;	size:0;	signed:0;

        print fmt: "\t=> %ps\n", (void *)REC->caller[0]

        """;

    /// <summary>For the second pass: counts begin again, addresses stay.</summary>
    internal void Rewind()
    {
        Cut = 0;
        Stacks = 0;
    }

    internal void Write(in TraceRecord record, DatPageWriter page)
    {
        ReadOnlySpan<byte> payload = _input.HasDictionary ? WithTexts(record) : record.Payload;
        if (payload.Length > _maximum)
        {
            Cut++;
            payload = payload[.._maximum];
        }

        ReadOnlySpan<byte> stack = record.Stack.IsEmpty ? default : Stack(record);
        page.Add(record.Time, payload, record.LostBefore, stack.Length);
        if (!stack.IsEmpty)
        {
            Stacks++;
            page.Add(record.Time, stack, 0, 0);
        }
    }

    private ReadOnlySpan<byte> WithTexts(in TraceRecord record)
    {
        ReadOnlySpan<byte> payload = record.Payload;
        payload.CopyTo(_event);
        int at = payload.Length;
        foreach (TraceField field in record.Format.Fields)
        {
            if (!field.IsDataLoc)
            {
                continue;
            }

            // Each text gets its share of what is left, so that one long text can't push out those behind it.
            string text = record.Text(field);
            int room = Math.Min(_maximum - at, ushort.MaxValue) - 1;
            int texts = record.Format.TextFieldsFrom(field);
            room = texts > 1 ? room / texts : room;
            Span<byte> target = _event.AsSpan(at, Math.Max(room, 0));
            int length = Encoding.UTF8.GetByteCount(text);
            if (length > target.Length)
            {
                Cut++;
                Encoding.UTF8.GetEncoder().Convert(text, target, flush: false, out _, out length, out _);
            }
            else
            {
                Encoding.UTF8.GetBytes(text, target);
            }

            _event[at + length] = 0;
            DatBytes.Put(_event.AsSpan(field.Offset, 4), (uint)at | ((uint)(length + 1) << 16), _input.IsBigEndian);
            at += length + 1;
        }

        return _event.AsSpan(0, at);
    }

    private ReadOnlySpan<byte> Stack(in TraceRecord record)
    {
        // Type, and then flags, preemption count and thread of the event it belongs to: by these a reader knows whose stack it is.
        Span<byte> bytes = _stack;
        DatBytes.Put(bytes[..2], _stackId, _input.IsBigEndian);
        record.Payload[2..8].CopyTo(bytes[2..]);
        ReadOnlySpan<ulong> frames = record.Stack;
        int most = (_maximum - _firstFrame) / _word;
        if (frames.Length > most)
        {
            Cut++;
            frames = frames[..most];
        }

        DatBytes.Put(bytes.Slice(8, 4), (uint)frames.Length, _input.IsBigEndian);
        bytes[12.._firstFrame].Clear();
        for (int at = 0; at < frames.Length; at++)
        {
            DatBytes.Put(bytes.Slice(_firstFrame + (at * _word), _word), AddressOf(frames[at]), _input.IsBigEndian);
        }

        return bytes[..(_firstFrame + (frames.Length * _word))];
    }

    private ulong AddressOf(ulong frame)
    {
        if (!_addresses.TryGetValue(frame, out ulong address))
        {
            address = _input.HasDictionary ? FirstAddress + ((ulong)_addresses.Count * 16) : frame;
            _addresses.Add(frame, address);
        }

        return address;
    }
}
