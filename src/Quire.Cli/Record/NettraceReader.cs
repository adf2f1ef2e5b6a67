using System.Buffers.Binary;
using System.Text;

namespace Quire.Cli.Record;

/// <summary>One event of a source in another process, as it came through the diagnostics port.</summary>
/// <param name="Provider">The source's name.</param>
/// <param name="Id">The event's number.</param>
/// <param name="Payload">Its fields, one behind the other: texts in UTF-16 with a NUL, numbers little endian.</param>
internal readonly record struct NettraceEvent(string Provider, int Id, byte[] Payload);

/// <summary>Reads the events of an EventPipe stream (the format "nettrace", version 4) as they come.</summary>
/// <remarks>
/// Only what a conversation with one source needs: which event, and its payload. Stacks, sequence points and the fields' descriptions are passed over. The general
/// reader, TraceEvent, brings some megabytes of libraries and can't be compiled ahead of time; this is one file. What is malformed ends the
/// reading with an <see cref="InvalidDataException"/>; a stream that breaks off, as it does when the other process ends, is its end.
/// </remarks>
internal sealed class NettraceReader(Stream stream)
{
    private const byte NullTag = 1;
    private const byte BeginTag = 5;
    private const byte EndTag = 6;
    private const int MaximumBlock = 1 << 28;

    private readonly Dictionary<uint, (string Provider, int Id)> _metadata = [];
    private long _position;

    /// <summary>The events, in the order of the blocks; each as soon as its block is there.</summary>
    internal IEnumerable<NettraceEvent> Read()
    {
        if (!TryBegin())
        {
            yield break;
        }

        while (TryReadBlock(out string type, out byte[] block))
        {
            bool isMetadata = type == "MetadataBlock";
            if (isMetadata || type == "EventBlock")
            {
                foreach ((uint metadata, byte[] payload) in Events(block))
                {
                    if (isMetadata)
                    {
                        Remember(payload);
                    }
                    else if (_metadata.TryGetValue(metadata, out (string Provider, int Id) known))
                    {
                        yield return new NettraceEvent(known.Provider, known.Id, payload);
                    }
                }
            }
        }
    }

    private bool TryBegin()
    {
        byte[] start = new byte[8 + 4 + 20];
        if (!TryFill(start))
        {
            return false;
        }

        return start.AsSpan(0, 8).SequenceEqual("Nettrace"u8) && start.AsSpan(12).SequenceEqual("!FastSerialization.1"u8)
            ? true
            : throw new InvalidDataException("The process did not answer with a nettrace stream.");
    }

    /// <summary>The next object of the stream; false at its end.</summary>
    private bool TryReadBlock(out string type, out byte[] block)
    {
        type = "";
        block = [];
        if (!TryByte(out byte tag) || tag == NullTag)
        {
            return false;
        }

        byte[] header = new byte[2 + 12];
        if (tag != BeginTag || !TryFill(header))
        {
            return tag == BeginTag ? false : throw new InvalidDataException($"Byte {_position - 1} of the nettrace stream is {tag}, where an object begins with {BeginTag}.");
        }

        int nameLength = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(10));
        byte[] name = new byte[nameLength is > 0 and < 256 ? nameLength : throw new InvalidDataException($"An object of the nettrace stream has a name of {nameLength} bytes.")];
        if (!TryFill(name) || !TryByte(out byte end))
        {
            return false;
        }

        type = Encoding.UTF8.GetString(name);
        if (end != EndTag)
        {
            throw new InvalidDataException($"The type {type} of the nettrace stream does not end where it should.");
        }

        // What describes the whole trace has a fixed size; everything else says how long it is, and begins at a multiple of four.
        int length = 48;
        if (type != "Trace")
        {
            byte[] size = new byte[4];
            if (!TryFill(size))
            {
                return false;
            }

            length = BinaryPrimitives.ReadInt32LittleEndian(size);
            if (length is < 0 or > MaximumBlock)
            {
                throw new InvalidDataException($"A block of the nettrace stream has {length} bytes.");
            }

            if (!TryFill(new byte[(int)(-_position & 3)]))
            {
                return false;
            }
        }

        block = new byte[length];
        return TryFill(block) && TryByte(out end) && (end == EndTag ? true : throw new InvalidDataException($"A block {type} of the nettrace stream does not end where it should."));
    }

    /// <summary>Which description each event of a block has, and its payload. What an event does not say is as with the one before.</summary>
    private static List<(uint Metadata, byte[] Payload)> Events(byte[] block)
    {
        const byte HasMetadata = 1;
        const byte HasSequence = 2;
        const byte HasThread = 4;
        const byte HasStack = 8;
        const byte HasActivity = 16;
        const byte HasRelatedActivity = 32;
        const byte HasLength = 128;

        List<(uint, byte[])> events = [];
        SpanReader reader = new(block);
        int headerSize = reader.UInt16();
        bool isCompressed = (reader.UInt16() & 1) != 0;
        reader.Skip(headerSize - 4);
        if (!isCompressed)
        {
            throw new InvalidDataException("The nettrace stream has events with uncompressed headers, which no runtime that Quire runs on writes.");
        }

        uint metadata = 0;
        uint length = 0;
        while (!reader.IsAtEnd)
        {
            byte flags = reader.Byte();
            metadata = (flags & HasMetadata) != 0 ? (uint)reader.Variable() : metadata;
            if ((flags & HasSequence) != 0)
            {
                reader.Variable();
                reader.Variable();
                reader.Variable();
            }

            if ((flags & HasThread) != 0)
            {
                reader.Variable();
            }

            if ((flags & HasStack) != 0)
            {
                reader.Variable();
            }

            reader.Variable();
            reader.Skip(((flags & HasActivity) != 0 ? 16 : 0) + ((flags & HasRelatedActivity) != 0 ? 16 : 0));
            length = (flags & HasLength) != 0 ? (uint)reader.Variable() : length;
            events.Add((metadata, reader.Bytes(length)));
        }

        return events;
    }

    private void Remember(byte[] payload)
    {
        SpanReader reader = new(payload);
        uint metadata = (uint)reader.Int32();
        string provider = reader.Text();
        _metadata[metadata] = (provider, reader.Int32());
    }

    private bool TryByte(out byte value)
    {
        byte[] one = new byte[1];
        bool there = TryFill(one);
        value = one[0];
        return there;
    }

    private bool TryFill(byte[] bytes)
    {
        try
        {
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            _position += read;
            return read == bytes.Length;
        }
        catch (Exception ended) when (ended is IOException or ObjectDisposedException or OperationCanceledException)
        {
            return false;
        }
    }
}
