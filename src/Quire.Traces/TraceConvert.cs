using System.Buffers;
using System.Text.Json;

namespace Quire.Traces;

/// <summary>What a conversion wrote, and what it had to change.</summary>
/// <param name="Events">Events written, snapshots' records with them.</param>
/// <param name="Stacks">Of those, the ones with a stack.</param>
/// <param name="Cut">Texts and stacks that were cut, because an event must fit into a page of 4096 bytes.</param>
/// <param name="TimesMoved">Events whose time lay before that of the one before on their CPU, and was moved on to it.</param>
public sealed record TraceConversion(long Events, long Stacks, long Cut, long TimesMoved);

/// <summary>Writes traces in other formats. The input is read from its first event on, and stands at its end afterwards.</summary>
public static class TraceConvert
{
    private const int BufferBytes = 1 << 16;

    /// <summary>Writes a trace.dat that trace-cmd and KernelShark open, and <see cref="TraceInput.Open"/> too, which gives the same properties, snapshots and counters back.</summary>
    /// <remarks>
    /// The texts of events stand in them as text, stacks follow their events and have names, threads have theirs, every ring is a CPU and a snapshot one more. The file appears
    /// when it is complete: until then it has another name.
    /// </remarks>
    /// <param name="input">The trace.</param>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="version">7 or 6.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such version.</exception>
    /// <exception cref="IOException">The file can't be written, or the trace not be read (<see cref="TraceFormatException"/>).</exception>
    public static TraceConversion ToTraceDat(TraceInput input, string path, int version = 7)
    {
        return Whole(input, path, file => ToTraceDat(input, file, version));
    }

    /// <summary>Writes a trace as JSON lines to a file, whole or not at all; one that is there is replaced. Returns the number of events.</summary>
    /// <param name="input">The trace, which is rewound first.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">The file can't be written, or the trace not be read (<see cref="TraceFormatException"/>).</exception>
    public static long ToJsonLines(TraceInput input, string path) => Whole(input, path, file => ToJsonLines(input, file));

    /// <summary>A file that appears under its name once it is complete, readable by those who may read the trace and nobody else.</summary>
    private static T Whole<T>(TraceInput input, string path, Func<FileStream, T> write)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentException.ThrowIfNullOrEmpty(path);
        string partial = $"{path}.{Environment.ProcessId}.partial";
        FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 1 << 16 };
        if (!OperatingSystem.IsWindows() && File.Exists(input.Source.Path))
        {
            options.UnixCreateMode = File.GetUnixFileMode(input.Source.Path);
        }

        try
        {
            T result;
            using (FileStream file = new(partial, options))
            {
                result = write(file);
            }

            File.Move(partial, path, overwrite: true);
            return result;
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    /// <summary>As <see cref="ToTraceDat(TraceInput, string, int)"/>, to a stream, from its position on.</summary>
    /// <param name="input">The trace.</param>
    /// <param name="output">Where to; it must allow seeking. Places in the file count from its position.</param>
    /// <param name="version">7 or 6.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such version.</exception>
    /// <exception cref="ArgumentException">The stream does not allow seeking.</exception>
    public static TraceConversion ToTraceDat(TraceInput input, Stream output, int version = 7)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        if (version is not (6 or 7))
        {
            throw new ArgumentOutOfRangeException(nameof(version), version, "There are versions 6 and 7.");
        }

        if (!output.CanSeek)
        {
            throw new ArgumentException("The stream must allow seeking.", nameof(output));
        }

        input.Rewind();
        return new TraceDatWriter(input, output, version).Write();
    }

    /// <summary>
    /// Writes one JSON object a line: first <c>{"trace": …}</c> with source and properties, then an event each with <c>time</c> (ns), <c>cpu</c>, <c>pid</c>, <c>comm</c>,
    /// <c>event</c>, <c>fields</c> and, where there is one, <c>stack</c>; last <c>{"quality": …}</c> with every counter that is not 0.
    /// </summary>
    /// <param name="input">The trace.</param>
    /// <param name="output">Where to.</param>
    /// <returns>Events written.</returns>
    public static long ToJsonLines(TraceInput input, Stream output)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        input.Rewind();
        ArrayBufferWriter<byte> buffered = new(BufferBytes * 2);
        using Utf8JsonWriter json = new(buffered, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        WriteSource(json, input.Source);
        EndLine(json, buffered);
        long events = 0;
        while (input.TryRead(out TraceRecord record))
        {
            WriteRecord(json, input, record);
            EndLine(json, buffered);
            events++;
            if (buffered.WrittenCount > BufferBytes)
            {
                output.Write(buffered.WrittenSpan);
                buffered.ResetWrittenCount();
            }
        }

        json.WriteStartObject();
        json.WriteStartObject("quality");
        foreach (TraceCounter counter in input.Quality.Counters)
        {
            if (counter.Value != 0)
            {
                json.WriteNumber(counter.Name, counter.Value);
            }
        }

        json.WriteEndObject();
        json.WriteEndObject();
        EndLine(json, buffered);
        output.Write(buffered.WrittenSpan);
        output.Flush();
        return events;
    }

    private static void WriteSource(Utf8JsonWriter json, TraceSource source)
    {
        json.WriteStartObject();
        json.WriteStartObject("trace");
        json.WriteString("format", source.Format);
        json.WriteString("clock", source.Clock);
        json.WriteBoolean("kernel", source.IsKernel);
        json.WriteNumber("cpus", source.Cpus.Count);
        json.WriteStartObject("properties");
        foreach ((string key, string value) in source.Properties)
        {
            json.WriteString(key, value);
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteRecord(Utf8JsonWriter json, TraceInput input, TraceRecord record)
    {
        json.WriteStartObject();
        json.WriteNumber("time", record.Time);
        json.WriteNumber("cpu", record.Cpu);
        json.WriteNumber("pid", record.Pid);
        json.WriteString("comm", input.CommOf(record.Pid));
        json.WriteString("event", record.Format.Name);
        if (record.Snapshot != TraceSnapshot.None)
        {
            json.WriteString("snapshot", record.Snapshot == TraceSnapshot.Start ? "start" : "end");
        }

        if (record.LostBefore != 0)
        {
            json.WriteNumber("lost_before", record.LostBefore);
        }

        json.WriteStartObject("fields");
        foreach (TraceField field in record.Format.Fields)
        {
            if (field.Name.StartsWith("common_", StringComparison.Ordinal))
            {
                continue;
            }

            if (field.IsArray)
            {
                json.WriteString(field.Name, record.Text(field));
            }
            else if (field.IsSigned)
            {
                json.WriteNumber(field.Name, record.Signed(field));
            }
            else
            {
                json.WriteNumber(field.Name, record.Unsigned(field));
            }
        }

        json.WriteEndObject();
        if (!record.Stack.IsEmpty)
        {
            json.WriteStartArray("stack");
            foreach (ulong address in record.Stack)
            {
                json.WriteStringValue(input.SymbolOf(address));
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void EndLine(Utf8JsonWriter json, ArrayBufferWriter<byte> output)
    {
        json.Flush();
        json.Reset();
        output.Write("\n"u8);
    }
}
