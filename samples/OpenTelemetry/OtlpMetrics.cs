using System.Buffers.Binary;
using System.Text;

namespace Quire.Samples.OtlpExport;

/// <summary>
/// Reads an <c>ExportMetricsServiceRequest</c> by hand: a message is fields of a number, a kind and a value, and the few that are wanted here are named by the numbers of
/// opentelemetry/proto/metrics/v1. Fields that it does not know are passed over, as the format demands.
/// </summary>
internal static class OtlpMetrics
{
    internal static IEnumerable<OtlpSeries> Read(byte[] request)
    {
        List<OtlpSeries> all = [];
        foreach (Field resource in Fields(request).Where(static field => field.Number == 1))
        {
            foreach (Field scope in Fields(resource.Bytes).Where(static field => field.Number == 2))
            {
                foreach (Field metric in Fields(scope.Bytes).Where(static field => field.Number == 2))
                {
                    all.AddRange(Series(metric.Bytes));
                }
            }
        }

        return all;
    }

    private static IEnumerable<OtlpSeries> Series(ReadOnlyMemory<byte> metric)
    {
        string name = "", unit = "";
        foreach (Field field in Fields(metric))
        {
            switch (field.Number)
            {
                case 1:
                    name = field.Text;
                    break;
                case 3:
                    unit = field.Text;
                    break;
                case 5 or 7 or 9: // gauge, sum, histogram
                    foreach (Field point in Fields(field.Bytes).Where(static point => point.Number == 1))
                    {
                        yield return Point(name, unit, point.Bytes, isHistogram: field.Number == 9);
                    }

                    break;
            }
        }
    }

    private static OtlpSeries Point(string name, string unit, ReadOnlyMemory<byte> point, bool isHistogram)
    {
        double value = 0;
        List<string> tags = [];
        foreach (Field field in Fields(point))
        {
            switch ((field.Number, isHistogram))
            {
                case (4, true): // count
                    value = field.Bits;
                    break;
                case (6, false): // as_int
                    value = (long)field.Bits;
                    break;
                case (4, false): // as_double
                    value = BitConverter.UInt64BitsToDouble(field.Bits);
                    break;
                case (7, false) or (9, true): // attributes
                    tags.Add(Tag(field.Bytes));
                    break;
            }
        }

        return new OtlpSeries($"{name}{{{string.Join(',', tags.Order(StringComparer.Ordinal))}}}", unit, value);
    }

    private static string Tag(ReadOnlyMemory<byte> attribute)
    {
        string key = "", value = "";
        foreach (Field field in Fields(attribute))
        {
            if (field.Number == 1)
            {
                key = field.Text;
            }
            else if (field.Number == 2)
            {
                Field any = Fields(field.Bytes).First();
                value = any.Number == 1 ? any.Text : $"{(long)any.Bits}";
            }
        }

        return $"{key}={value}";
    }

    private static IEnumerable<Field> Fields(ReadOnlyMemory<byte> message)
    {
        for (int at = 0; at < message.Length;)
        {
            ulong tag = Number(message.Span, ref at);
            int number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    yield return new Field(number, default, Number(message.Span, ref at));
                    break;
                case 1:
                    yield return new Field(number, default, BinaryPrimitives.ReadUInt64LittleEndian(message.Span[at..]));
                    at += 8;
                    break;
                case 2:
                    int length = (int)Number(message.Span, ref at);
                    yield return new Field(number, message.Slice(at, length), 0);
                    at += length;
                    break;
                case 5:
                    yield return new Field(number, default, BinaryPrimitives.ReadUInt32LittleEndian(message.Span[at..]));
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"A field of kind {tag & 7}: this is no message.");
            }
        }
    }

    /// <summary>Seven bits a byte, the least first; the eighth says that more follow.</summary>
    private static ulong Number(ReadOnlySpan<byte> message, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = message[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }

    private readonly record struct Field(int Number, ReadOnlyMemory<byte> Bytes, ulong Bits)
    {
        internal string Text => Encoding.UTF8.GetString(Bytes.Span);
    }
}
