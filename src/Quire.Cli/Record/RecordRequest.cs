namespace Quire.Cli.Record;

/// <summary>What is to be recorded, as the command line says it.</summary>
internal sealed record RecordRequest
{
    /// <summary>The recording's full path: where the answer is to be, or beside it where that is another format.</summary>
    internal required string Path { get; init; }

    internal TimeSpan? Duration { get; init; }

    internal bool Stacks { get; init; }

    internal int Sample { get; init; } = 1;

    internal string? Filter { get; init; }

    internal string? Buffer { get; init; }

    internal string? Maximum { get; init; }

    internal string? Overflow { get; init; }

    internal bool Force { get; init; }

    /// <summary>The settings by the keys of <see cref="TracingSettings"/>; what is as it is without a word is left out.</summary>
    internal Dictionary<string, string> Settings()
    {
        Dictionary<string, string> settings = new() { [TracingSettings.Path] = Path };
        Add(TracingSettings.Stacks, Stacks ? "1" : null);
        Add(TracingSettings.Sample, Sample > 1 ? $"{Sample}" : null);
        Add(TracingSettings.Filter, Filter);
        Add(TracingSettings.Buffer, Buffer);
        Add(TracingSettings.Maximum, Maximum);
        Add(TracingSettings.Overflow, Overflow);
        Add(TracingSettings.Overwrite, Force ? "1" : null);
        return settings;

        void Add(string key, string? text)
        {
            if (text is not null)
            {
                settings.Add(key, text);
            }
        }
    }

    /// <summary>Finds what is wrong with it here, where it can be said in the words of the command line.</summary>
    /// <exception cref="RecordException">Something is.</exception>
    internal void Check()
    {
        Dictionary<string, string> settings = Settings();
        try
        {
            TracingSettings.Read(key => settings.TryGetValue(key, out string? text) ? ($"--{key}", text) : null);
        }
        catch (FormatException wrong)
        {
            throw new RecordException(wrong.Message);
        }

        // Otherwise the folder is for the process to find missing: it may see other folders than this command does.
        if (!Force && File.Exists(Path))
        {
            throw new RecordException($"{Path} exists; --force replaces it.");
        }
    }
}
