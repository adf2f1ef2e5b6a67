using System.Runtime.InteropServices;
using System.Text;

namespace Quire.Tests.Tracing.Control;

/// <summary>A recording's file, read here from the format's description alone: its properties, texts, snapshots, and events in time order.</summary>
internal sealed class RawRecording
{
    private const int HeaderBytes = 4096;
    private const int SlotBytes = 96;

    internal Dictionary<string, string> Properties { get; } = [];

    internal Dictionary<uint, string> Texts { get; } = [];

    internal List<RawEvent> Events { get; } = [];

    internal Dictionary<uint, List<RawEvent>> Snapshots { get; } = [];

    internal bool IsStopped { get; private set; }

    internal static RawRecording Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length < HeaderBytes)
        {
            // Only just made.
            return new();
        }

        RawRecording recording = new() { IsStopped = BitConverter.ToUInt32(bytes, 20) == 2 };
        // One that is still being written may have grown since its length was asked for: then its last segments are left out.
        long end = Math.Min(BitConverter.ToInt64(bytes, 40), bytes.Length);
        for (long at = HeaderBytes, length; at < end && (length = BitConverter.ToInt64(bytes, (int)at + 8)) <= end - at; at += length)
        {
            recording.Segment(bytes, (int)at);
        }

        recording.Events.Sort(static (a, b) => a.Time.CompareTo(b.Time));
        return recording;
    }

    private void Segment(byte[] bytes, int at)
    {
        int data = at + HeaderBytes;
        switch (BitConverter.ToUInt32(bytes, at + 4))
        {
            case 1:
                long committed = BitConverter.ToInt64(bytes, at + 24);
                for (int entry = data; entry < data + committed;)
                {
                    int payload = BitConverter.ToInt32(bytes, entry);
                    string text = Encoding.UTF8.GetString(bytes, entry + 16, payload);
                    switch (BitConverter.ToUInt16(bytes, entry + 4))
                    {
                        case 2:
                            Texts[BitConverter.ToUInt32(bytes, entry + 8)] = text;
                            break;
                        case 5:
                            Properties[text.Split('\0')[0]] = text.Split('\0')[1];
                            break;
                    }

                    entry += (16 + payload + 7) & ~7;
                }

                break;
            case 2:
                long head = BitConverter.ToInt64(bytes, at + 32);
                long capacity = BitConverter.ToInt64(bytes, at + 40);
                for (long i = Math.Max(0, head - capacity); i < head; i++)
                {
                    Events.Add(Slot(bytes, data + (int)(i % capacity * SlotBytes)));
                }

                break;
            case 3:
                List<RawEvent> records = Snapshots.TryGetValue(BitConverter.ToUInt32(bytes, at + 32), out List<RawEvent>? known) ? known : Snapshots[BitConverter.ToUInt32(bytes, at + 32)] = [];
                for (long i = 0; i < BitConverter.ToInt64(bytes, at + 24); i++)
                {
                    records.Add(Slot(bytes, data + (int)(i * SlotBytes)));
                }

                break;
        }
    }

    private static RawEvent Slot(byte[] bytes, int at) =>
        new(BitConverter.ToInt64(bytes, at), (Tracepoint)BitConverter.ToUInt16(bytes, at + 8), bytes[(at + 8)..(at + SlotBytes)]);
}

/// <summary>One event or one record of a snapshot.</summary>
internal sealed record RawEvent(long Time, Tracepoint Id, byte[] Payload)
{
    internal T As<T>()
        where T : unmanaged => MemoryMarshal.Read<T>(Payload);
}
