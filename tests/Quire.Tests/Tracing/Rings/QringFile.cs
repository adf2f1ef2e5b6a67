using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Xunit;

namespace Quire.Tests.Tracing.Rings;

/// <summary>
/// A recording as a reader sees it who knows nothing but the format's description: bytes at offsets, none of the library's structs.
/// Whatever is not as described fails the test.
/// </summary>
internal sealed class QringFile
{
    internal uint State { get; private init; }
    internal uint ProcessId { get; private init; }
    internal long Start { get; private init; }
    internal long StartSinceEpoch { get; private init; }
    internal long Stop { get; private init; }
    internal long LostWithoutRing { get; private init; }
    internal long LostSnapshotRecords { get; private init; }
    internal long LostTexts { get; private init; }
    internal List<Ring> Rings { get; } = [];
    internal List<Snapshot> Snapshots { get; } = [];
    internal Dictionary<uint, string> Texts { get; } = [];
    internal Dictionary<uint, (string System, string Text)> Formats { get; } = [];
    internal Dictionary<uint, (uint[] Frames, bool IsPartial)> Stacks { get; } = [];
    internal List<(int Id, int ManagedId, string Name)> Threads { get; } = [];
    internal Dictionary<string, string> Properties { get; } = [];

    internal sealed record Event(long Time, byte[] Payload)
    {
        internal ushort Type => BinaryPrimitives.ReadUInt16LittleEndian(Payload);

        internal int Pid => BinaryPrimitives.ReadInt32LittleEndian(Payload.AsSpan(4));

        internal T As<T>()
            where T : unmanaged => MemoryMarshal.Read<T>(Payload);
    }

    internal sealed record Ring(int ThreadId, uint Mode, long Head, long Capacity, long Lost, List<Event> Events);

    internal sealed record Snapshot(uint Which, bool IsComplete, long Time, List<Event> Records);

    /// <summary>Null for a file whose header was never completed.</summary>
    internal static QringFile? TryRead(string path)
    {
        // As another process does while it is written.
        byte[] file;
        using (FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete))
        {
            file = new byte[stream.Length];
            stream.ReadExactly(file);
        }

        return file.Length < 4096 || U64(file, 0) == 0 ? null : Parse(file);
    }

    internal static QringFile Read(string path)
    {
        QringFile? file = TryRead(path);
        Assert.NotNull(file);
        return file;
    }

    private static QringFile Parse(byte[] file)
    {
        Assert.Equal([0x89, (byte)'Q', (byte)'R', (byte)'I', (byte)'N', (byte)'G', (byte)'\n', 1], file[..8]);
        Assert.Equal(4096u, U32(file, 8));
        Assert.Equal(96u, U32(file, 12));
        Assert.InRange(U32(file, 20), 1u, 2u);
        QringFile recording = new()
        {
            ProcessId = U32(file, 16),
            State = U32(file, 20),
            Start = I64(file, 24),
            StartSinceEpoch = I64(file, 32),
            LostWithoutRing = I64(file, 48),
            Stop = I64(file, 56),
            LostSnapshotRecords = I64(file, 64),
            LostTexts = I64(file, 72),
        };
        long end = I64(file, 40);
        Assert.InRange(end, 4096, file.Length);
        Assert.Equal(0, end % 4096);
        uint number = 0;
        for (long at = 4096; at < end;)
        {
            Assert.Equal(0x47455351u, U32(file, at));
            Assert.Equal(number++, U32(file, at + 16));
            long bytes = I64(file, at + 8);
            Assert.InRange(bytes, 8192, end - at);
            Assert.Equal(0, bytes % 4096);
            switch (U32(file, at + 4))
            {
                case 1:
                    recording.ReadTexts(file.AsSpan((int)at + 4096, (int)I64(file, at + 24)));
                    break;
                case 2:
                    recording.ReadRing(file, at, bytes);
                    break;
                case 3:
                    recording.ReadSnapshot(file, at, bytes);
                    break;
                default:
                    Assert.Fail($"a segment of kind {U32(file, at + 4)}");
                    break;
            }

            at += bytes;
        }

        return recording;
    }

    private void ReadTexts(ReadOnlySpan<byte> entries)
    {
        while (!entries.IsEmpty)
        {
            int payload = BinaryPrimitives.ReadInt32LittleEndian(entries);
            ushort kind = BinaryPrimitives.ReadUInt16LittleEndian(entries[4..]);
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(entries[6..]);
            uint number = BinaryPrimitives.ReadUInt32LittleEndian(entries[8..]);
            Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(entries[12..]));
            ReadOnlySpan<byte> data = entries.Slice(16, payload);
            string text = Encoding.UTF8.GetString(kind == 4 ? data[4..] : kind == 3 ? [] : data);
            string[] parts = text.Split('\0', 2);
            switch (kind)
            {
                case 1:
                    Formats.Add(number, (parts[0], parts[1]));
                    break;
                case 2:
                    // Twice is harmless, but not with two meanings.
                    Assert.True(Texts.TryAdd(number, text) || Texts[number] == text);
                    break;
                case 3:
                    Stacks[number] = (MemoryMarshal.Cast<byte, uint>(data).ToArray(), (flags & 1) != 0);
                    break;
                case 4:
                    Threads.Add(((int)number, BinaryPrimitives.ReadInt32LittleEndian(data), text));
                    break;
                case 5:
                    Properties.Add(parts[0], parts[1]);
                    break;
                default:
                    Assert.Fail($"an entry of kind {kind}");
                    break;
            }

            entries = entries[((16 + payload + 7) & ~7)..];
        }
    }

    private void ReadRing(byte[] file, long at, long bytes)
    {
        long head = I64(file, at + 32);
        long capacity = I64(file, at + 40);
        uint mode = U32(file, at + 28);
        Assert.Equal((bytes - 4096) / 96, capacity);
        Assert.InRange(mode, 0u, 1u);

        // In a file that was not stopped the slot of the next event may be half written.
        long first = Math.Max(0, head - capacity + (State == 1 && mode == 0 ? 1 : 0));
        List<Event> events = [];
        for (long i = first; i < head; i++)
        {
            events.Add(ReadSlot(file, at + 4096 + (i % capacity * 96)));
        }

        Rings.Add(new Ring((int)U32(file, at + 24), mode, head, capacity, I64(file, at + 48), events));
    }

    private void ReadSnapshot(byte[] file, long at, long bytes)
    {
        long count = I64(file, at + 24);
        Assert.InRange(count, 0, (bytes - 4096) / 96);
        List<Event> records = [];
        for (long i = 0; i < count; i++)
        {
            records.Add(ReadSlot(file, at + 4096 + (i * 96)));
        }

        Snapshots.Add(new Snapshot(U32(file, at + 32), U32(file, at + 36) == 1, I64(file, at + 40), records));
    }

    private static Event ReadSlot(byte[] file, long at) => new(I64(file, at), file.AsSpan((int)at + 8, 88).ToArray());

    private static uint U32(byte[] file, long at) => BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan((int)at));

    private static ulong U64(byte[] file, long at) => BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan((int)at));

    private static long I64(byte[] file, long at) => (long)U64(file, at);
}
