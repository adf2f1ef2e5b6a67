using System.Buffers.Binary;
using System.Text;

namespace Quire.Traces;

/// <summary>What the text segments of a recording say: formats, texts, stacks, threads, properties. Later entries replace earlier ones of the same number.</summary>
internal sealed class RingDictionary
{
    /// <summary>Stands behind the frames of a partial stack; no text has this number.</summary>
    internal const ulong PartialAddress = uint.MaxValue;

    private readonly Dictionary<uint, string> _texts = [];
    private readonly Dictionary<uint, ulong[]> _stacks = [];
    private readonly Dictionary<int, string> _threads = [];
    private readonly Dictionary<string, string> _properties = new(StringComparer.Ordinal);
    private readonly List<TraceEventFormat> _formats = [];

    /// <summary>Entries that contradict themselves, and were passed over.</summary>
    internal long Damaged { get; private set; }

    internal IReadOnlyList<TraceEventFormat> Formats => _formats;

    internal Dictionary<string, string> Properties => _properties;

    internal IReadOnlyDictionary<int, string> Threads => _threads;

    internal string? TextOf(uint number) => _texts.GetValueOrDefault(number);

    internal ulong[]? StackOf(uint number) => _stacks.GetValueOrDefault(number);

    internal string? ThreadOf(int pid) => _threads.GetValueOrDefault(pid);

    /// <summary>Takes the entries of one text segment. Answers false where an entry does not fit: the rest of the segment is then unread.</summary>
    internal bool TryAdd(ReadOnlySpan<byte> data)
    {
        while (data.Length >= RingLayout.EntryHeaderBytes)
        {
            uint bytes = BinaryPrimitives.ReadUInt32LittleEndian(data);
            RingLayout.Entry kind = (RingLayout.Entry)BinaryPrimitives.ReadUInt16LittleEndian(data[4..]);
            bool isPartial = (BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 1) != 0;
            uint number = BinaryPrimitives.ReadUInt32LittleEndian(data[8..]);
            if (bytes > data.Length - RingLayout.EntryHeaderBytes)
            {
                return false;
            }

            Damaged += TryAdd(kind, number, isPartial, data.Slice(RingLayout.EntryHeaderBytes, (int)bytes)) ? 0 : 1;

            data = data[Math.Min(data.Length, RingLayout.EntryHeaderBytes + (((int)bytes + 7) & ~7))..];
        }

        return data.IsEmpty;
    }

    private bool TryAdd(RingLayout.Entry kind, uint number, bool isPartial, ReadOnlySpan<byte> payload)
    {
        int nul;
        switch (kind)
        {
            case RingLayout.Entry.Format:
                nul = payload.IndexOf((byte)0);
                if (nul < 0)
                {
                    return false;
                }

                TraceEventFormat format;
                try
                {
                    format = TraceEventFormat.Parse(Encoding.UTF8.GetString(payload[..nul]), Encoding.UTF8.GetString(payload[(nul + 1)..]).TrimEnd('\0'));
                }
                catch (TraceFormatException)
                {
                    return false;
                }

                if (format.Id != number || format.Size > RingLayout.PayloadBytes)
                {
                    return false;
                }

                _formats.RemoveAll(other => other.Id == format.Id);
                _formats.Add(format);
                return true;
            case RingLayout.Entry.Text:
                _texts[number] = Encoding.UTF8.GetString(payload);
                return true;
            case RingLayout.Entry.Stack:
                if (payload.Length % 4 != 0)
                {
                    return false;
                }

                ulong[] frames = new ulong[(payload.Length / 4) + (isPartial ? 1 : 0)];
                for (int at = 0; at < payload.Length / 4; at++)
                {
                    frames[at] = BinaryPrimitives.ReadUInt32LittleEndian(payload[(at * 4)..]);
                }

                if (isPartial)
                {
                    frames[^1] = PartialAddress;
                }

                _stacks[number] = frames;
                return true;
            case RingLayout.Entry.Thread:
                if (payload.Length < 4)
                {
                    return false;
                }

                string name = Encoding.UTF8.GetString(payload[4..]).TrimEnd('\0');
                _threads[(int)number] = name.Length > 0 ? name : $"thread {BinaryPrimitives.ReadUInt32LittleEndian(payload)}";
                return true;
            case RingLayout.Entry.Property:
                nul = payload.IndexOf((byte)0);
                if (nul < 0)
                {
                    return false;
                }

                _properties[Encoding.UTF8.GetString(payload[..nul])] = Encoding.UTF8.GetString(payload[(nul + 1)..]).TrimEnd('\0');
                return true;
            default:
                // A later version's: its length is known, so it is passed over.
                return true;
        }
    }
}
