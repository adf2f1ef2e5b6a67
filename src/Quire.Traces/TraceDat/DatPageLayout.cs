using System.Buffers.Binary;
using System.Text;

namespace Quire.Traces;

/// <summary>Where things lie in a page of the kernel's ring buffer, as the file's <c>header_page</c> text says.</summary>
/// <param name="Timestamp">Place of the page's time, 8 bytes.</param>
/// <param name="Commit">Place of the number of bytes in use, with two flags above.</param>
/// <param name="LongBytes">Bytes of a long of the kernel (not of its user space): what the commit field is.</param>
/// <param name="Data">Place of the first event.</param>
internal readonly record struct DatPageLayout(int Timestamp, int Commit, int LongBytes, int Data)
{
    internal const uint LengthMask = (1 << 27) - 1;

    /// <summary>Events were lost before this page.</summary>
    internal const uint Missed = 1u << 31;

    /// <summary>How many stands, as a long, behind the data.</summary>
    internal const uint MissedStored = 1u << 30;

    /// <summary>A page of a 64-bit kernel.</summary>
    internal static readonly DatPageLayout Common = new(0, 8, 8, 16);

    /// <summary>The page's time; the page must reach to <see cref="Data"/>.</summary>
    internal ulong TimeOf(ReadOnlySpan<byte> page, bool isBigEndian) =>
        isBigEndian ? BinaryPrimitives.ReadUInt64BigEndian(page[Timestamp..]) : BinaryPrimitives.ReadUInt64LittleEndian(page[Timestamp..]);

    /// <summary>What the page's commit field says: bytes in use and flags; the page must reach to <see cref="Data"/>.</summary>
    internal ulong CommitOf(ReadOnlySpan<byte> page, bool isBigEndian) => NumberAt(page[Commit..], isBigEndian);

    /// <summary>A long of the kernel.</summary>
    internal ulong NumberAt(ReadOnlySpan<byte> bytes, bool isBigEndian) => (LongBytes, isBigEndian) switch
    {
        (8, false) => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        (8, true) => BinaryPrimitives.ReadUInt64BigEndian(bytes),
        (_, false) => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        _ => BinaryPrimitives.ReadUInt32BigEndian(bytes),
    };

    /// <summary>Whether this can be a page of the ring buffer at all: it has a time, and no more in use than there is room.</summary>
    internal bool IsPlausible(ReadOnlySpan<byte> page, int pageSize, bool isBigEndian)
    {
        ulong commit = CommitOf(page, isBigEndian) & ~(ulong)(Missed | MissedStored);
        return commit <= (ulong)(pageSize - Data) && (commit > 0 || TimeOf(page, isBigEndian) > 0);
    }

    internal static DatPageLayout Parse(ReadOnlySpan<byte> text, string file, long place)
    {
        DatPageLayout layout = Common;
        int found = 0;
        foreach (string line in Encoding.ASCII.GetString(text).Split('\n'))
        {
            if (!line.AsSpan().TrimStart().StartsWith("field:"))
            {
                continue;
            }

            TraceField field;
            try
            {
                field = TraceEventFormat.ParseField("ring buffer", "header_page", line.AsSpan().Trim());
            }
            catch (TraceFormatException refused)
            {
                throw new TraceFormatException(file, place, refused.What, refused);
            }

            switch (field.Name)
            {
                case "timestamp":
                    layout = layout with { Timestamp = field.Offset };
                    found++;
                    break;
                case "commit":
                    layout = layout with { Commit = field.Offset, LongBytes = field.Size };
                    found++;
                    break;
                case "data":
                    layout = layout with { Data = field.Offset };
                    found++;
                    break;
            }
        }

        return found == 3 && layout.LongBytes is 4 or 8 && layout.Timestamp + 8 <= layout.Data && layout.Commit + layout.LongBytes <= layout.Data && layout.Data <= 64
            ? layout
            : throw new TraceFormatException(file, place, "header_page must place timestamp, commit (4 or 8 bytes) and data.");
    }
}
